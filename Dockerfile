# The gate as an image: nothing but Python, what requirements.txt names, and app/ with its templates and migrations.

FROM python:3.12-slim-bookworm AS parts

ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
WORKDIR /parts
COPY requirements.txt .
RUN python -m venv --without-pip /opt/venv \
    && python -m pip --python /opt/venv/bin/python install --no-deps --require-hashes --only-binary :all: --requirement requirements.txt \
    && python -m pip --python /opt/venv/bin/python check


FROM python:3.12-slim-bookworm

RUN useradd --uid 10001 --user-group --no-create-home --shell /usr/sbin/nologin gate \
    && install --directory --owner gate --group gate /data
COPY --from=parts /opt/venv /opt/venv
WORKDIR /opt/qa-gate
COPY LICENSE ./
COPY app app
COPY templates templates
COPY migrations migrations
# The same command that an installed project has, without a build tool in the image.
RUN printf '%s\n' '#!/opt/venv/bin/python' 'import sys' 'from app.cli import main' 'sys.exit(main())' > /opt/venv/bin/qa-gate \
    && chmod 0755 /opt/venv/bin/qa-gate \
    && python -m compileall -q app

ENV PATH=/opt/venv/bin:$PATH \
    PYTHONPATH=/opt/qa-gate \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    DATABASE_URL=sqlite:////data/qa-gate.db \
    SETTINGS_FILE=/data/settings.env \
    LISTEN=0.0.0.0:8000

USER 10001:10001
VOLUME /data
EXPOSE 8000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=5s --start-period=20s --retries=3 \
    CMD ["python", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:8000/healthz', timeout=4)"]
ENTRYPOINT ["qa-gate"]
CMD ["serve"]
