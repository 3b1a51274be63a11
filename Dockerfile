# twokey in a container: compiled in one image, run in another, by a user that owns nothing.
#
#   docker build -t twokey .
#   docker run -p 8080:8080 -v "$PWD/conf.d:/etc/twokey/conf.d:ro" -v twokey-state:/var/lib/twokey twokey

FROM debian:bookworm-slim AS build
WORKDIR /src
COPY packages.txt ./
RUN apt-get update \
 && apt-get install -y --no-install-recommends $(awk '$1 == "build" { print $2 }' packages.txt) \
 && rm -rf /var/lib/apt/lists/*
COPY . .
RUN cmake --preset release \
 && cmake --build --preset release \
 && DESTDIR=/out cmake --install build --prefix /usr --strip

# the three demo servers of docker-compose.yml
FROM debian:bookworm-slim AS demo
COPY packages.txt ./
RUN apt-get update \
 && apt-get install -y --no-install-recommends $(awk '$1 == "run" { print $2 }' packages.txt) \
 && rm -rf /var/lib/apt/lists/* packages.txt \
 && useradd --system --no-create-home --shell /usr/sbin/nologin demo
COPY demo/server.py /usr/local/bin/demo-server
USER demo
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=5s --timeout=2s --start-period=5s --retries=3 \
  CMD ["python3", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:9000/healthz', timeout=1)"]
ENTRYPOINT ["/usr/local/bin/demo-server"]
CMD ["demo", "0.0.0.0:9000"]

FROM debian:bookworm-slim AS twokey
COPY packages.txt ./
RUN apt-get update \
 && apt-get install -y --no-install-recommends $(awk '$1 == "runtime" { print $2 }' packages.txt) \
 && rm -rf /var/lib/apt/lists/* packages.txt \
 && groupadd --system --gid 990 twokey \
 && useradd --system --uid 990 --gid twokey --no-create-home --home-dir /var/lib/twokey \
      --shell /usr/sbin/nologin twokey \
 && install -d -o twokey -g twokey -m 0750 /var/lib/twokey
COPY --from=build /out/usr/bin/twokey /usr/bin/twokey
COPY deploy/container/conf.d /etc/twokey/conf.d
USER twokey
VOLUME /var/lib/twokey
EXPOSE 8080
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --start-period=10s --retries=3 \
  CMD ["curl", "--fail", "--silent", "--show-error", "--max-time", "2", "--output", "/dev/null", "http://127.0.0.1:9901/healthz"]
ENTRYPOINT ["/usr/bin/twokey"]
CMD ["serve", "--config", "/etc/twokey/conf.d", "--state", "/var/lib/twokey"]
