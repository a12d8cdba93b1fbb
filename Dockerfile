# One image for every line of the Procfile; docs/guides/deploying.md says how each is started.
FROM python:3.11-slim

# Nobody's home: nothing but var/ need be written, and that only where EMAIL_PROVIDER=file or the embedded server is used.
RUN useradd --system --uid 10001 --create-home balansity
WORKDIR /srv/balansity

# Apart from the code, so that a change of code takes these layers as they are.
COPY requirements.txt ./
RUN pip install --no-cache-dir --require-hashes --requirement requirements.txt

COPY . .
RUN mkdir var && chown balansity var
ENV PATH=/srv/balansity/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
USER balansity
EXPOSE 8000

# A container dies with its process, and is started again by whoever runs it; the exec form hands SIGTERM on.
CMD ["python", "-m", "web.server"]
