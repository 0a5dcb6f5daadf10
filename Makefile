# Every command a person needs. `make` alone lists them.

CARGO ?= cargo
# A link that each build makes anew: cargo may have been told to build somewhere else than into target/.
LAB = .flash-sale/lab
CONTAINERS = sh crates/lab/containers.sh
# Meant for other programs, and often for another server: the tests' database driver would read them.
unexport $(filter-out PGPASSWORD PG_BIN_DIR,$(filter PG%,$(.VARIABLES)))

# $(call built_by,COMMAND OF CARGO). The dependencies are pinned by Cargo.lock; --workspace, because another set of
# features would rebuild them. Cargo says in lines of JSON where the lab is, and at the end whether all was built. The
# lab's tests are programs called lab, too: of them, cargo says "test":true.
built_by = lab=$$($(CARGO) $(1) --workspace --locked --message-format=json-render-diagnostics | sed -n \
	-e '/"name":"lab".*"test":false},"features"/{' -e 's/.*"executable":"\([^"]*\)".*/\1/' -e h -e '}' \
	-e '/"success":true/{' -e x -e p -e '}'); \
	[ -n "$$lab" ] || { sh crates/lab/why-not-built.sh "$$($(CARGO) metadata --no-deps --format-version 1 | \
		sed 's/.*"target_directory":"\([^"]*\)".*/\1/')"; exit 1; }; \
	mkdir -p -m 700 .flash-sale && ln -sfn "$$lab" $(LAB) || { sh crates/lab/why-not-built.sh .flash-sale; exit 1; }

# $(call build,ARGUMENTS)
build = $(call built_by,build $(1))

# It is built beside the lab.
LEAGUE = "$$(dirname "$$(readlink $(LAB))")/league"

# $(call say_error_1,MEANING). Scripts need the exit code, and to a person what make says of it looks like a crash.
say_error_1 = code=$$?; \
	[ $$code != 1 ] || echo 'What make calls "Error 1" only says that $(1).' >&2; \
	exit $$code

# For graders, whose ARGS are --json, when not even the lab compiles. As lab check says it.
SAY_NOT_BUILT = case " $(ARGS) " in *" --json "*) echo '{"verdict": "not_built", \
	"closing": "NOT BUILT: the present files do not compile", "exploration": null, "checks": [], "mistake": null, \
	"why": null, "costs": [], "figures": {"rounds": 0, "rounds_oversold": 0, "purchases": 0, \
	"sold": 0, "copies_oversold": 0, "orders_deleted": 0, "seconds": 0.0}, \
	"error": "the present files do not compile"}' ;; esac; exit 2

# The same for make explore, make predict and make bench.
SAY_NOT_EXPLORED = case " $(ARGS) " in *" --json "*) echo '{"error": "the present files do not compile"}' ;; esac; exit 2

.DEFAULT_GOAL := help
.PHONY: help fetch run build check explore predict step watch hint race bench drill stop clean status logs timeline db-shell
.PHONY: test test-guide test-variants league guide-pictures
.PHONY: docker-run docker-build docker-check docker-stop docker-clean docker-logs

# A reader who leaves before the end (make help | head) is no error.
help: ## List these commands
	@trap '' PIPE; { \
		echo "Flash Sale: a shop with one copy left. Start with: make run"; \
		echo; \
		grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | \
			awk -F ':.*## ' '{ sub(/: .*/, "", $$1); printf "  make %-14s %s\n", $$1, $$2 }'; \
		echo; \
		echo "  Settings: see .env.example. For another port: PORT=3100 make run"; \
	} 2>/dev/null || :

# cargo build leaves out what only the tests need.
fetch: ## Get all crates, also those of the tests, for a machine that will have no network
	@$(CARGO) fetch --locked --target "$$(rustc -vV | sed -n 's/^host: //p')"

run: ## Build and start the shop (PostgreSQL, two replicas, gateway), then print its address
	@$(call build)
	@$(LAB) up --built

build: ## Rebuild after an edit and replace the running replicas one by one
	@$(call build)
	@$(LAB) restart --built

check: ## Judge the running shop, and reset it: is the bug gone? (ARGS=--explain, ARGS=--json)
	@[ -x $(LAB) ] || ($(call build,--bin lab)) || { $(SAY_NOT_BUILT); }
	@$(LAB) check $(ARGS) || { $(call say_error_1,the verdict is not FIXED); }

explore: ## Play two purchases in every order of their SQL, beside the running shop (ARGS=--help)
	@[ -x $(LAB) ] || ($(call build,--bin lab)) || { $(SAY_NOT_EXPLORED); }
	@$(LAB) explore $(ARGS) || { $(call say_error_1,a rule is broken); }

predict: ## Make one purchase, and find in its SQL what two at once could do (ARGS=--help)
	@[ -x $(LAB) ] || ($(call build,--bin lab)) || { $(SAY_NOT_EXPLORED); }
	@$(LAB) predict $(ARGS) || { $(call say_error_1,harm was found); }

step: ## Let two purchases go on, statement by statement: you are the scheduler (ARGS=--help)
	@[ -x $(LAB) ] || ($(call build,--bin lab))
	@$(LAB) step $(ARGS)

watch: $(LAB) ## After each save: rebuild, replace the replicas, reset, click, and say how that went
	@$(LAB) watch

hint: $(LAB) ## Say the next of three hints, each a step closer (from the first: RESET=1)
	@$(LAB) hint $(if $(RESET),--reset)

race: $(LAB) ## Race the ways to sell (ARGS=--list, ARGS="--strategy optimistic --window 5", ARGS=--help)
	@$(LAB) race $(ARGS)

bench: ## Measure the ways to sell beside pgbench, on a shop of its own (2 minutes; ARGS=--full, ARGS=--help)
	@[ -x $(LAB) ] || ($(call build,--bin lab)) || { $(SAY_NOT_EXPLORED); }
	@$(LAB) bench $(ARGS) || { $(call say_error_1,a ledger is wrong); }

drill: $(LAB) ## Cause faults in the running shop while buyers buy (make drill ARGS=--list; minutes; ARGS=--help)
	@$(LAB) drill $(ARGS)

stop: $(LAB) ## Stop all of it; the data stay
	@$(LAB) down

clean: $(LAB) ## Stop all of it and remove the shop's data
	@$(LAB) clean

status: $(LAB) ## Show what runs
	@$(LAB) status

logs: $(LAB) ## Follow the log of both replicas (Ctrl-C ends it; all of it: ARGS=--no-follow)
	@$(LAB) logs $(ARGS)

timeline: $(LAB) ## Print the SQL of the last click, its purchases side by side (ARGS="--click 7", ARGS=--json, ARGS=--svg)
	@$(LAB) timeline $(ARGS)

db-shell: $(LAB) ## Open psql on the shop's database
	@$(LAB) psql

# These commands need the lab, not the newest one: they also work while an edit doesn't compile.
$(LAB):
	@$(call build,--bin lab)

# Tests mostly wait, so more of them than there are processors run at the same time. cargo test also builds the lab and
# the shop. cargo build takes fewer features of some dependencies: our crates and those would be built twice.
# Some tests run make, and that make is no part of this one: the ARGS are not for it.
test: ## Run the tests; they bring their own PostgreSQL and replicas (ARGS="--test shop")
	@$(call built_by,test --no-run)
	@unset ARGS MAKEFLAGS MAKELEVEL MAKEOVERRIDES MFLAGS; \
		RUST_TEST_THREADS=$${RUST_TEST_THREADS:-4} sh crates/testbed/in-memory.sh $(CARGO) test --workspace --locked $(ARGS)

test-guide: ## Follow DETONADO.md in a copy: it must lead from the bug to the fix (minutes)
	@$(call build)
	@$(LAB) test-guide $(ARGS)

# From a real click before the edit and one after it. The text of both is printed, for the walkthrough.
guide-pictures:
	@$(call build)
	@$(LAB) guide-pictures

test-variants: ## Have make check judge right and wrong fixes, each built and run (a quarter of an hour)
	@$(call build)
	@VARIANT=$(VARIANT) $(CARGO) test --workspace --locked --test variants -- --ignored --nocapture

league: ## Judge the judges: near-miss fixes, each with its true outcome (minutes; ARGS=--list, ARGS=--help)
	@$(call build)
	@$(LEAGUE) $(ARGS)

docker-run: ## The same in containers, with Docker alone: build and start it, then print its address
	@$(CONTAINERS) run

docker-build: ## Rebuild after an edit and replace the containers' replicas one by one
	@$(CONTAINERS) build

docker-check: ## Judge the shop in the containers, as make check does
	@$(CONTAINERS) check $(ARGS) || { $(call say_error_1,the verdict is not FIXED); }

docker-logs: ## Follow the logs of the containers (Ctrl-C ends it)
	@$(CONTAINERS) logs

docker-stop: ## Stop and remove the containers; the data stay
	@$(CONTAINERS) stop

docker-clean: ## Stop and remove the containers, their data and their image
	@$(CONTAINERS) clean
