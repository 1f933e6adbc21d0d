# Consul, the same to use from either source: user, folders, command. Rendered by stackctl.
FROM hashicorp/consul:1.20

COPY at-address.sh /opt/stackctl/at-address.sh

# hadolint ignore=DL3066
USER consul
VOLUME /consul/data
EXPOSE 8300 8301 8301/udp 8302 8302/udp 8500 8600 8600/udp
ENTRYPOINT ["consul", "agent", "-config-dir=/consul/config", "-data-dir=/consul/data"]
CMD []
