# Redis and Sentinel, the same to use from either source: user, folders, command. Rendered by stackctl.
FROM debian:trixie-slim

# The user has the ids of the official image, so that a volume fits both.
# hadolint ignore=DL3008
RUN groupadd --gid 999 redis \
    && useradd --uid 999 --gid 999 --no-create-home --home-dir /data --shell /usr/sbin/nologin redis \
    && apt-get update -o Acquire::Languages=none -o Acquire::Retries=3 -o APT::Update::Error-Mode=any \
    && apt-get install --yes --no-install-recommends -o Acquire::Retries=3 redis-server \
    && rm -rf /var/lib/apt/lists/* /var/cache/apt/* /var/cache/debconf/*-old /var/log/apt /var/log/dpkg.log \
    && install -d -o redis -g redis /data

COPY entrypoint.sh /opt/stackctl/entrypoint.sh

# hadolint ignore=DL3066
USER redis
WORKDIR /data
VOLUME /data
EXPOSE 6379 26379
ENTRYPOINT ["sh", "/opt/stackctl/entrypoint.sh"]
CMD ["redis"]
