FROM python:3.13-slim

WORKDIR /app
COPY deploy/requirements.lock .
RUN pip install --no-cache-dir --disable-pip-version-check -r requirements.lock

COPY .streamlit/config.toml .streamlit/
COPY asgi.py Home.py ./
COPY pages pages
COPY tracelib tracelib
RUN python -m compileall -q . && useradd --uid 10001 --no-create-home --home-dir /tmp tracelib

USER 10001:10001
# Only the sample traffic is written, to /tmp, if no database is configured.
ENV HOME=/tmp PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 STREAMLIT_SERVER_ADDRESS=0.0.0.0
# Keeps Streamlit from looking up its external address at start.
ENV STREAMLIT_BROWSER_SERVER_ADDRESS=localhost
EXPOSE 8501
# Reports whether the app is alive. It need not restart when the database is down.
HEALTHCHECK --start-period=30s --timeout=5s CMD ["python", "-c", \
  "from urllib.request import urlopen; urlopen('http://127.0.0.1:8501/_stcore/health', timeout=4)"]
CMD ["streamlit", "run", "asgi.py"]
