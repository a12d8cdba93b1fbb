"""A real S3 server on a free port of this machine."""

from collections.abc import Iterator
from contextlib import contextmanager
from uuid import uuid4

import boto3
from moto.server import ThreadedMotoServer

BUCKET = "reports"
CREDENTIALS = {"aws_access_key_id": "testing", "aws_secret_access_key": "testing", "region_name": "us-east-1"}


@contextmanager
def running() -> Iterator[str]:
    """Run the server with one bucket until the block ends; gives its address."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        address = f"http://{host}:{port}"
        boto3.client("s3", endpoint_url=address, **CREDENTIALS).create_bucket(Bucket=BUCKET)
        yield address
    finally:
        server.stop()


def settings(address: str) -> dict[str, str]:
    """What a clinic sets to keep its reports there, in a folder of its own."""
    return {
        "REPORT_STORAGE_URL": f"s3://{BUCKET}/{uuid4()}",
        "REPORT_STORAGE_ENDPOINT": address,
        "REPORT_STORAGE_REGION": CREDENTIALS["region_name"],
        "REPORT_STORAGE_KEY": CREDENTIALS["aws_access_key_id"],
        "REPORT_STORAGE_SECRET": CREDENTIALS["aws_secret_access_key"],
    }
