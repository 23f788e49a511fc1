SHELL := /bin/bash
.DEFAULT_GOAL := help
PORT ?= 4096
export PORT

.PHONY: help preflight setup data-packages up serve runner admin-key export import backup restore zip release deploy undeploy deploy-status sbom audit image-scan image-files site check test test-all lint types judges unit contract adapters embedded jail package system vm bench soak compare kill-run size lock clean test-vm test-hosts test-image

help: ## List the commands
	@grep -hE '^[a-z -]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-50s %s\n", $$1, $$2}'

preflight: ## Check that this host can run the service; changes nothing
	@bash infra/setup/preflight.sh

setup: ## Install what is missing: system packages, .venv, toolchains
	@bash infra/setup/install.sh

data-packages: ## Install numpy, pandas and 14 others for Python programs; `make up DATA=1` does it and starts the service
	@DATA=1 bash infra/setup/install.sh --run

# Some hosts have no bash, such as Alpine.
up: SHELL := /bin/sh
up: ## The whole service on this machine (PORT=4096), in a container where it must; Ctrl-C stops it
	@command -v bash >/dev/null || { . "$${OS_RELEASE:-/etc/os-release}"; echo "up: $$PRETTY_NAME has no bash: install it, and Docker or Podman, or run: docker compose up"; exit 2; }
	@exec bash infra/setup/up.sh

serve: ## The whole service in production on this machine: RUSTBOX_PUBLIC_URL=https://… (docs/one-machine.md)
	@bash infra/setup/install.sh --run
	@exec .venv/bin/python -m infra.local serve

runner: ## A runner on another host for `make serve` (RUSTBOX_SERVER=… RUSTBOX_FINGERPRINT=… RUSTBOX_RUNNER_TOKEN_FILE=…)
	@bash infra/setup/install.sh --run
	@exec .venv/bin/python -m infra.local runner

admin-key: ## Make a new administrator's key for `make serve`, and show it
	@.venv/bin/python -m infra.local admin-key

export: ## Write projects, keys, quotas, endpoints, consumers, checks and their files into a file (FILE=rustbox.json)
	@.venv/bin/python -m infra.local export "$(FILE)"

import: ## Write an export into a deployment (FILE=rustbox.json STAGE=prod REGION=…)
	@bash infra/setup/install.sh --deploy
	@.venv/bin/python -m infra.deploy import "$(FILE)"

backup: ## Write the state of a stack, which may run, into a file (FILE=rustbox.backup)
	@.venv/bin/python -m infra.local backup "$(FILE)"

restore: ## Put a backup in place of the state of a stopped stack (FILE=rustbox.backup)
	@.venv/bin/python -m infra.local restore "$(FILE)"

deploy: ## Deploy to AWS (STAGE=prod REGION=… RUNNERS=fleet) or an emulator (ENDPOINT=http://127.0.0.1:4566)
	@bash infra/setup/install.sh --deploy
	@.venv/bin/python -m infra.deploy deploy

undeploy: ## Delete a deployment; its data stays unless DATA=delete
	@bash infra/setup/install.sh --deploy
	@.venv/bin/python -m infra.deploy undeploy

deploy-status: ## Show a deployment: stack, runners, queues
	@bash infra/setup/install.sh --deploy
	@.venv/bin/python -m infra.deploy status

zip: ## Build the zip of the functions, .build/functions.zip (ARCHITECTURE=arm64 or x86_64)
	@bash infra/setup/install.sh --deploy
	@.venv/bin/python -m infra.deploy zip

release: setup ## Build the wheel of the command line, the zips and the image, with checksums (ARGS=--without-image)
	@.venv/bin/python -m infra.release $(ARGS)

sbom: setup ## List what zip and image hold, as CycloneDX in .build/
	@bash infra/setup/audit.sh sbom

audit: setup ## Ask PyPI for known vulnerabilities of all locked packages
	@bash infra/setup/audit.sh audit

image-scan: setup ## Ask Debian for known vulnerabilities of the image (or PACKAGES=a dpkg status file)
	@bash infra/setup/audit.sh image-scan

image-files: setup ## Check the files and locked wheels of the image for another CPU (ARCHITECTURE=arm64)
	@bash infra/image/files.sh

site: setup ## Build the site of docs/ into .build/site; `make up` then serves it at /docs/
	@bash infra/setup/site.sh

check: setup ## The quick loop: lint, types, unit tests, contracts, functions over the engine
	@bash infra/setup/check.sh --quick lint types unit contract adapters

test: ## Everything a change must pass: each promise once
	@bash infra/setup/install.sh --sdk
	@bash infra/setup/check.sh --quick

test-all: ## `make test`, and all languages of each attack, AWS's other stand-ins, long kills, judges of the templates, CPython's own tests, cgroup v2 in an emulated machine
	@bash infra/setup/install.sh --sdk
	@bash infra/setup/check.sh

lint types judges unit contract adapters embedded package vm: setup ## One stage of `make test-all`
	@bash infra/setup/check.sh $@

jail: ## The sandbox on this kernel, with every hostile program
	@bash infra/setup/install.sh --jail
	@bash infra/setup/check.sh jail languages hostile load memory

system: ## The local stack over HTTP
	@bash infra/setup/install.sh --sdk
	@bash infra/setup/check.sh system clients browser deployment kills

bench: ## Measure this machine beside its peers (ARGS="--quick --sections jail,stack")
	@bash infra/setup/install.sh --peers
	@.venv/bin/python -m bench $(ARGS)

soak: setup ## Run RUNS=100000 programs, for an hour at most, while everything expires; print what grows
	@.venv/bin/python -m bench --sections soak --soak-runs $(or $(RUNS),100000)

compare: setup ## Measure an earlier revision and this one in alternating rounds (BEFORE=main~1 ARGS="--sections jail --rounds 3")
	@.venv/bin/python -m bench.compare $(BEFORE) $(ARGS)

kill-run: setup ## Kill parts of a stack for 2 minutes under load and count lost submissions (ARGS="--seed 7")
	@.venv/bin/python -m tests.system.kill_run $(ARGS)

test-vm: setup ## The jail's tests in a virtual machine with cgroup v2 (emulated, slow; ARCHITECTURE=arm64, ARGS=), or compose.yaml in it (SUITE=service)
	@bash tests/rigs/vm/$(if $(filter service,$(SUITE)),service,test).sh $(ARGS)

test-hosts: setup ## README and jail's tests on Debian testing with CPython 3.14, in a root of their own (SUITE=, RUSTBOX_PYTHON=)
	@bash tests/rigs/hosts/test.sh $(ARGS)

test-image: setup ## Build the runner's image; slots, languages, hostile programs inside; its health check
	@bash infra/image/test.sh

size: ## Print lines and modules of Python by part (REVISIONS="v0.1 HEAD")
	@bash infra/setup/size.sh $(REVISIONS)

lock: ## Regenerate the hashed requirement files from pyproject.toml
	@bash infra/setup/lock.sh

clean: ## Remove everything that was built or installed here; the state folder stays
	@rm -rf .venv .toolchains .sdk .judges .build .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache .schemathesis
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
