"""A real LiteLLM proxy on a database of the tests, with a vendor of the tests behind it."""

import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

import httpx

from tests.live import install, vendor
from tests.server import free_port

MASTER_KEY = "sk-master-1234"
FLUSH_S = 3
"""How often the proxy writes; by default it is every 10 to 60 seconds."""

PATIENCE_S = 600
"""How long a start, a stop or a row may take, on a machine with much else to do."""

OPENAI = {
    "gpt-4o": "gpt-4o",
    "gpt-4o-mini": "gpt-4o-mini",
    "embed": "text-embedding-3-small",
    "local-llama": "my-local-llama",  # no price is known for it
    "bad-auth": "refuses-the-key",
    "rate-limited": "limits-the-rate",
    "server-error": "is-broken",
    "too-long": "knows-short-prompts",
    "breaks-off": vendor.BREAKS,
    "primary": "is-broken",
}
ANTHROPIC = {"claude": "claude-sonnet-4-5", "claude-haiku": "claude-haiku-4-5"}
CACHE = {"type": "local", "mode": "default_off"}  # for requests that ask for it
PRICE = {"input_cost_per_token": 1e-6, "output_cost_per_token": 2e-6}
FALLBACK = {"primary": ["gpt-4o-mini"]}


@dataclass
class Proxy:
    """A proxy of one version; `url` is its address. `folder` is for its logs.

    `variables` are given to it beside its own. It adds up every `flush_s` seconds.
    """

    version: str
    database_url: str
    vendor: vendor.Vendor
    folder: Path
    variables: Mapping[str, str] = field(default_factory=dict)
    flush_s: int = FLUSH_S

    def __post_init__(self) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.process: subprocess.Popen | None = None

    @contextmanager
    def running(self) -> Iterator["Proxy"]:
        """Run it until the end of the block, or until it was stopped in there."""
        self.start()
        try:
            yield self
        finally:
            self.stop()

    def start(self) -> None:
        """Start it and wait until it is ready."""
        home = install.folder()
        config = self.folder / "config.yaml"
        # JSON is YAML.
        config.write_text(json.dumps(configuration(self.vendor.url, self.flush_s)))
        command = [home / "older/bin/litellm", "--config", config]
        command += ["--host", "127.0.0.1", "--port", str(self.port), "--num_workers", "1"]
        with (self.folder / "proxy.log").open("ab") as log:
            self.process = subprocess.Popen(
                command,
                cwd=self.folder,
                env=self._environment(home),
                stdout=log,
                stderr=log,
                process_group=0,  # with its engine
            )
        self._wait_until_ready()

    def _environment(self, home: Path) -> dict[str, str]:
        """Nothing of ours reaches the proxy, whose settings are variables, too."""
        newest = {"PYTHONPATH": str(home / "newest")} if self.version == install.NEWEST else {}
        return {
            "PATH": os.pathsep.join([f"{home}/engine", f"{home}/older/bin", os.environ["PATH"]]),
            "HOME": str(self.folder),
            "DATABASE_URL": self.database_url,
            "PRISMA_QUERY_ENGINE_BINARY": str(home / "engine/query-engine"),
            "PRISMA_OFFLINE_MODE": "true",
            "DISABLE_SCHEMA_UPDATE": "true",
            "ENGINE_LOG": str(self.folder / "engine.log"),
            "LITELLM_LOCAL_MODEL_COST_MAP": "True",
            "LITELLM_TELEMETRY": "False",
            "PYTHONUNBUFFERED": "1",
            "LITELLM_MODE": "PRODUCTION",
            "LITELLM_SALT_KEY": "sk-salt-1234",
            "NO_PROXY": "127.0.0.1,localhost",
            **newest,
            **self.variables,
        }

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline and self.process.poll() is None:
            try:
                if httpx.get(f"{self.url}/health/readiness", timeout=5).status_code == 200:
                    return
            except httpx.TransportError:
                pass
            time.sleep(0.2)
        raise AssertionError(f"the proxy did not start:\n{self.log()[-3_000:]}")

    def stop(self) -> None:
        """Stop it as an operator would, and wait until it has ended."""
        if self.process.poll() is None:
            self.process.terminate()
            self.process.wait(PATIENCE_S)

    def kill(self) -> None:
        """End it and its engine at once, as a machine that fails does."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(PATIENCE_S)

    def today(self) -> date:
        """The UTC day that its clock shows."""
        answer = httpx.get(f"{self.url}/health/liveliness", timeout=60)
        return parsedate_to_datetime(answer.headers["date"]).date()

    def log(self) -> str:
        """What it has printed."""
        return (self.folder / "proxy.log").read_text()

    def ask(self, path: str, **query: Any) -> Any:
        """The answer of one of LiteLLM's own endpoints to its administrator."""
        return self._administer("GET", path, params=query)

    def make(self, path: str, **body: Any) -> Any:
        """The answer to this JSON of an endpoint that makes something."""
        return self._administer("POST", path, json=body)

    def _administer(self, method: str, path: str, **how: Any) -> Any:
        headers = {"authorization": f"Bearer {MASTER_KEY}"}
        answer = httpx.request(method, self.url + path, headers=headers, timeout=60, **how)
        assert answer.status_code == 200, f"{path}: {answer.status_code} {answer.text[:2_000]}"
        return answer.json()


def configuration(vendor_url: str, flush_s: int) -> dict[str, Any]:
    """What the proxy is told: its models, and that prompts and answers are stored."""
    openai = {"api_key": "sk-vendor", "api_base": f"{vendor_url}/v1"}
    anthropic = {"api_key": "sk-vendor", "api_base": vendor_url}
    models = {name: openai | {"model": f"openai/{model}"} for name, model in OPENAI.items()}
    models |= {name: anthropic | {"model": f"anthropic/{m}"} for name, m in ANTHROPIC.items()}
    models["slow"] = openai | {"model": f"openai/{vendor.SLOW}", "timeout": vendor.SLOW_S / 3}
    models["repeating"] = openai | PRICE | {"model": f"openai/{vendor.REPEATS}"}
    return {
        "model_list": [
            {"model_name": name, "litellm_params": parameters, "model_info": {"id": f"dep-{name}"}}
            for name, parameters in models.items()
        ],
        "router_settings": {
            "num_retries": 0,
            "disable_cooldowns": True,
            "fallbacks": [FALLBACK],
        },
        "litellm_settings": {"num_retries": 0, "cache": True, "cache_params": CACHE},
        "general_settings": {
            "master_key": MASTER_KEY,
            "store_prompts_in_spend_logs": True,
            "proxy_batch_write_at": flush_s,
        },
    }
