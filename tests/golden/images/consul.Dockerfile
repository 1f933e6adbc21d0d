# Consul, the same to use from either source: user, folders, command. Rendered by stackctl.
FROM debian:trixie-slim

# For an address of its own in a Swarm; the official image has it.
# hadolint ignore=DL3008
RUN apt-get update -o Acquire::Languages=none -o Acquire::Retries=3 -o APT::Update::Error-Mode=any \
    && apt-get install --yes --no-install-recommends -o Acquire::Retries=3 iproute2 \
    && rm -rf /var/lib/apt/lists/* /var/cache/apt/* /var/cache/debconf/*-old /var/log/apt /var/log/dpkg.log

# Only the program: the package's dependencies serve its init script. Its user has the ids of the official image, so that
# a volume fits both.
# hadolint ignore=DL3003,DL4006,SC2016
RUN . /etc/os-release \
    && archive="$(apt-get indextargets --no-release-info --format '$(REPO_URI)' \
        'Created-By: Packages' "Release: $VERSION_CODENAME" | head -n 1)" \
    && test -n "$archive" \
    && echo "deb [check-valid-until=no signed-by=/usr/share/keyrings/debian-archive-keyring.gpg]" \
        "$archive bullseye main" >/tmp/bullseye.list \
    && echo 'Dir::Etc::SourceList "/tmp/bullseye.list"; Dir::Etc::SourceParts "-";' >/tmp/bullseye.conf \
    && export APT_CONFIG=/tmp/bullseye.conf \
    && apt-get update -o Acquire::Languages=none -o Acquire::Retries=3 -o APT::Update::Error-Mode=any \
    && cd /tmp \
    && apt-get download -o Acquire::Retries=3 consul \
    && dpkg-deb --extract consul_*.deb /tmp/consul \
    && install /tmp/consul/usr/bin/consul /usr/bin/consul \
    && rm -rf /tmp/* \
    && rm -rf /var/lib/apt/lists/* /var/cache/apt/* /var/cache/debconf/*-old /var/log/apt /var/log/dpkg.log \
    && groupadd --gid 1000 consul \
    && useradd --uid 100 --gid 1000 --no-create-home --home-dir /consul --shell /usr/sbin/nologin consul \
    && install -d -o consul -g consul /consul /consul/config /consul/data

COPY at-address.sh /opt/stackctl/at-address.sh

# hadolint ignore=DL3066
USER consul
VOLUME /consul/data
EXPOSE 8300 8301 8301/udp 8302 8302/udp 8500 8600 8600/udp
ENTRYPOINT ["consul", "agent", "-config-dir=/consul/config", "-data-dir=/consul/data"]
CMD []
