# The bot with all it needs, Chromium and fonts included. Its state is in /data: mount a volume there.
FROM python:3.11-slim-bookworm

# The last three keep memory small: few heaps, Arrow's buffers given back, one thread for algebra.
ENV PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    PIP_NO_CACHE_DIR=1 \
    PIP_DISABLE_PIP_VERSION_CHECK=1 \
    CHROMIUM_PATH=/usr/bin/chromium-headless-shell \
    DATA_DIR=/data \
    MAX_JOBS=1 \
    PORT=8080 \
    MALLOC_ARENA_MAX=2 \
    ARROW_DEFAULT_MEMORY_POOL=system \
    OPENBLAS_NUM_THREADS=1

# Debian keeps only the newest Chromium of a release, so its version can't be pinned; the release is.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install -y --no-install-recommends chromium-headless-shell fonts-dejavu-core tini \
    && rm -rf /var/lib/apt/lists/*

RUN groupadd --gid 10001 jesse \
    && useradd --uid 10001 --gid jesse --create-home jesse \
    && install --directory --owner=jesse --group=jesse /data

WORKDIR /app
COPY requirements.txt ./
RUN pip install -r requirements.txt
COPY . .
RUN pip install --no-deps --editable . \
    && python -m compileall -q bot data engine strategies

USER 10001:10001
# Proves that this image can draw, as the user and with the browser that it will have.
RUN python -m bot.charts.proof

EXPOSE 8080
HEALTHCHECK --interval=1m --timeout=10s --start-period=3m \
    CMD ["python", "-c", "import os, urllib.request as web; web.urlopen(f'http://127.0.0.1:{os.environ[\"PORT\"]}/healthz', timeout=8)"]
STOPSIGNAL SIGTERM
ENTRYPOINT ["tini", "--", "/app/.docker/entrypoint"]
CMD ["jesse", "run"]
