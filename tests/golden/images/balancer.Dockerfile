# stackctl's balancer: nginx, and the agent that renders its configuration. Rendered by stackctl.
FROM debian:trixie-slim

# hadolint ignore=DL3008
RUN apt-get update -o Acquire::Languages=none -o Acquire::Retries=3 -o APT::Update::Error-Mode=any \
    && apt-get install --yes --no-install-recommends -o Acquire::Retries=3 python3 python3-aiohttp python3-dnspython python3-jinja2 python3-redis \
    && rm -rf /var/lib/apt/lists/* /var/cache/apt/* /var/cache/debconf/*-old /var/log/apt /var/log/dpkg.log

# Compiled while the image is built: nothing is compiled, or written, when a container starts.
ENV PYTHONPATH=/opt/stackctl PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1

# From a newer suite: trixie's nginx has no keepalive_min_timeout, without which reloads lose requests.
# hadolint ignore=DL3008,DL4006,SC2016
RUN . /etc/os-release \
    && archive="$(apt-get indextargets --no-release-info --format '$(REPO_URI)' \
        'Created-By: Packages' "Release: $VERSION_CODENAME" | head -n 1)" \
    && test -n "$archive" \
    && echo "deb [check-valid-until=no signed-by=/usr/share/keyrings/debian-archive-keyring.gpg]" \
        "$archive forky main" >/tmp/forky.list \
    && echo 'Dir::Etc::SourceList "/tmp/forky.list"; Dir::Etc::SourceParts "-";' >/tmp/forky.conf \
    && export APT_CONFIG=/tmp/forky.conf \
    && apt-get update -o Acquire::Languages=none -o Acquire::Retries=3 -o APT::Update::Error-Mode=any \
    && apt-get install --yes --no-install-recommends -o Acquire::Retries=3 nginx libnginx-mod-stream \
    && rm -rf /var/lib/apt/lists/* /var/cache/apt/* /var/cache/debconf/*-old /var/log/apt /var/log/dpkg.log /tmp/forky.* \
    && groupadd --gid 10001 stackctl \
    && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /run/stackctl --shell /usr/sbin/nologin stackctl \
    && install -d -o stackctl -g stackctl /etc/stackctl /run/stackctl /run/stackctl/files /var/cache/nginx \
    && chown -R stackctl:stackctl /var/lib/nginx /var/log/nginx

COPY stackctl /opt/stackctl/stackctl
RUN python3 -m compileall -q --invalidation-mode unchecked-hash /opt/stackctl
COPY templates /opt/stackctl/templates
COPY entrypoint.sh /opt/stackctl/entrypoint.sh

USER 10001:10001
WORKDIR /run/stackctl
EXPOSE 80
# nginx is process 1: on QUIT it finishes the requests that it has.
STOPSIGNAL SIGQUIT
ENTRYPOINT ["sh", "/opt/stackctl/entrypoint.sh"]
