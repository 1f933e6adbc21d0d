# stackctl's keepalived: an address that one of several machines has at a time. Rendered by stackctl.
FROM debian:trixie-slim

# hadolint ignore=DL3008
RUN apt-get update -o Acquire::Languages=none -o Acquire::Retries=3 -o APT::Update::Error-Mode=any \
    && apt-get install --yes --no-install-recommends -o Acquire::Retries=3 python3 python3-aiohttp python3-dnspython python3-jinja2 python3-redis \
    && rm -rf /var/lib/apt/lists/* /var/cache/apt/* /var/cache/debconf/*-old /var/log/apt /var/log/dpkg.log

# Compiled while the image is built: nothing is compiled, or written, when a container starts.
ENV PYTHONPATH=/opt/stackctl PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1

# hadolint ignore=DL3008
RUN apt-get update -o Acquire::Languages=none -o Acquire::Retries=3 -o APT::Update::Error-Mode=any \
    && apt-get install --yes --no-install-recommends -o Acquire::Retries=3 keepalived \
    && rm -rf /var/lib/apt/lists/* /var/cache/apt/* /var/cache/debconf/*-old /var/log/apt /var/log/dpkg.log

COPY stackctl /opt/stackctl/stackctl
RUN python3 -m compileall -q --invalidation-mode unchecked-hash /opt/stackctl
COPY alive.sh entrypoint.sh /opt/stackctl/

# It gives a machine addresses, and speaks a protocol of its own: that takes root, with few of root's rights.
# hadolint ignore=DL3002
USER root
ENTRYPOINT ["sh", "/opt/stackctl/entrypoint.sh"]
