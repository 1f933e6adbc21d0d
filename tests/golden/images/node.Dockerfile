# A node of a lab: a Docker engine of its own in a privileged container. Rendered by stackctl.
FROM debian:trixie-slim

# iptables brings arptables along; tini is process 1, because orphans of the node's containers end there.
# hadolint ignore=DL3008
RUN apt-get update -o Acquire::Languages=none -o Acquire::Retries=3 -o APT::Update::Error-Mode=any \
    && apt-get install --yes --no-install-recommends -o Acquire::Retries=3 docker.io iptables tini \
    && rm -rf /var/lib/apt/lists/* /var/cache/apt/* /var/cache/debconf/*-old /var/log/apt /var/log/dpkg.log

COPY node.sh cut.sh /opt/stackctl/

# As on any machine: nothing of /run outlives a crash. The lab mounts a tmpfs there.
VOLUME /var/lib/docker
EXPOSE 2376
ENTRYPOINT ["tini", "--", "sh", "/opt/stackctl/node.sh"]
