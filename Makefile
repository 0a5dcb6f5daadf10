# Every command a person needs. `make` alone lists them.

CARGO ?= cargo
LAB = target/debug/lab
COMPOSE ?= docker compose
# The dependencies are pinned by Cargo.lock; --workspace, because another set of features would rebuild them.
BUILD = $(CARGO) build --workspace --locked

.DEFAULT_GOAL := help
.PHONY: help run build check watch hint race drill stop clean status logs db-shell test test-guide test-variants
.PHONY: docker-run docker-build docker-check docker-stop docker-clean docker-logs

help: ## List these commands
	@echo "Flash Sale: a shop with one copy left. Start with: make run"
	@echo
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{ sub(/: .*/, "", $$1); printf "  make %-14s %s\n", $$1, $$2 }'
	@echo
	@echo "  Settings: see .env.example. For another port: PORT=3100 make run"

run: ## Build and start the shop (PostgreSQL, two replicas, gateway), then print its address
	@$(BUILD)
	@$(LAB) up

build: ## Rebuild after an edit and replace the running replicas one by one
	@$(BUILD)
	@$(LAB) restart

check: $(LAB) ## Judge the running shop: is the bug gone? (make check ARGS=--json)
	@$(LAB) check $(ARGS)

watch: $(LAB) ## After each save: rebuild, replace the replicas, click, and show the verdict
	@$(LAB) watch

hint: $(LAB) ## Say the next of three hints, each a step closer (from the first: RESET=1)
	@$(LAB) hint $(if $(RESET),--reset)

race: $(LAB) ## Race the ways to sell (make race ARGS="--strategy optimistic --window 5"; ARGS=--help)
	@$(LAB) race $(ARGS)

drill: $(LAB) ## Do faults to the running shop while buyers buy (make drill ARGS=--list; minutes; ARGS=--help)
	@$(LAB) drill $(ARGS)

stop: $(LAB) ## Stop all of it; the data stay
	@$(LAB) down

clean: $(LAB) ## Stop all of it and remove the shop's data
	@$(LAB) clean

status: $(LAB) ## Show what runs
	@$(LAB) status

logs: $(LAB) ## Follow the log of both replicas (Ctrl-C ends it)
	@$(LAB) logs

db-shell: $(LAB) ## Open psql on the shop's database
	@$(LAB) psql

# These commands need the lab, not the newest one: they also work while an edit doesn't compile.
$(LAB):
	@$(BUILD)

test: ## Run the tests; they bring their own PostgreSQL and replicas
	@$(BUILD)
	@$(CARGO) test --workspace --locked

test-guide: ## Follow DETONADO.md in a copy: it must lead from the bug to the fix (minutes)
	@$(BUILD)
	@$(LAB) test-guide

test-variants: ## Have make check judge right and wrong fixes, each built and run (minutes)
	@$(BUILD)
	@$(CARGO) test --workspace --locked --test variants -- --ignored --nocapture

docker-run: ## The same in containers, with Docker alone: build and start it, then print its address
	@$(COMPOSE) up --build --detach
	@echo "The shop is open: http://$$($(COMPOSE) port gateway 3000)"

docker-build: ## Rebuild after an edit and replace the containers' replicas one by one
	@$(COMPOSE) build
	@for replica in replica-1 replica-2; do $(COMPOSE) up --detach --no-deps --wait $$replica || exit 1; done

docker-check: ## Judge the shop in the containers, as make check does
	@$(COMPOSE) run --rm check /lab check --url http://gateway:3000 $(ARGS)

docker-logs: ## Follow the logs of the containers (Ctrl-C ends it)
	@$(COMPOSE) logs --follow

docker-stop: ## Stop and remove the containers; the data stay
	@$(COMPOSE) down

docker-clean: ## Stop and remove the containers, their data and their image
	@$(COMPOSE) down --volumes --rmi local
