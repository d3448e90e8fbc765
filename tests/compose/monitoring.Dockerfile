# Prometheus and Alertmanager from Debian's packages, for the test where no image can be pulled.
ARG BASE=debian:bookworm-slim
FROM ${BASE} AS monitoring
RUN apt-get update \
    && apt-get install --yes --no-install-recommends prometheus=2.42.* prometheus-alertmanager=0.25.* \
    && rm -rf /var/lib/apt/lists/* \
    && install -d -o nobody -g nogroup /prometheus /alertmanager

FROM monitoring AS prometheus
USER 65534:65534
ENTRYPOINT ["prometheus"]

FROM monitoring AS alertmanager
USER 65534:65534
ENTRYPOINT ["prometheus-alertmanager"]
