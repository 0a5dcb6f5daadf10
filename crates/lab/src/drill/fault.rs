//! The faults: the name of each, what it does, and what it excuses. The code that does them is in [`super::faults`].

use std::time::Duration;

use anyhow::ensure;

/// The kind of a fault. It decides how the fault is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "FAULTS says what each is")]
pub enum Kind {
    KillReplica,
    FreezeReplica,
    RollingRestart,
    PostgresImmediateRestart,
    PostgresStopped,
    RowLockHeld,
    ConnectionsTerminated,
    PoolExhausted,
    ReadOnly,
    Burst,
    ResetDuringSale,
    BuyersLeave,
    FarDatabase,
    LostCommitAnswer,
}

/// A fault.
#[derive(Clone, Copy, Debug)]
pub struct Fault {
    /// How it is done.
    pub kind: Kind,
    /// What `--fault` calls it.
    pub name: &'static str,
    /// What it does, in one line.
    pub what: &'static str,
    /// How many seconds the fault lasts, if that can be chosen. 0 means as long as the load runs.
    pub lasts_seconds: Option<u64>,
    /// Whether the fault ends something that had requests to answer. Only then may an outcome be unknown.
    pub may_lose_answers: bool,
    /// Whether buyers may be told that their purchase was not carried out (503).
    pub may_refuse: bool,
}

/// All faults, in the order in which they are drilled.
pub const FAULTS: [Fault; 14] = [
    Fault {
        kind: Kind::KillReplica,
        name: "kill-replica",
        what: "kill -9 of one replica",
        lasts_seconds: None,
        may_lose_answers: true,
        may_refuse: true,
    },
    Fault {
        kind: Kind::FreezeReplica,
        name: "freeze-replica",
        what: "one replica stands still (SIGSTOP)",
        lasts_seconds: Some(5),
        may_lose_answers: true,
        may_refuse: true,
    },
    Fault {
        kind: Kind::RollingRestart,
        name: "rolling-restart",
        what: "the replicas are replaced, again and again: no request may fail",
        lasts_seconds: Some(0),
        may_lose_answers: false,
        may_refuse: false,
    },
    Fault {
        kind: Kind::PostgresImmediateRestart,
        name: "postgres-immediate-restart",
        what: "PostgreSQL ends as in a crash (SIGQUIT), and is started again at once",
        lasts_seconds: None,
        may_lose_answers: true,
        may_refuse: true,
    },
    Fault {
        kind: Kind::PostgresStopped,
        name: "postgres-stopped",
        what: "PostgreSQL is stopped in order (SIGINT), and stays stopped",
        lasts_seconds: Some(5),
        may_lose_answers: true,
        may_refuse: true,
    },
    Fault {
        kind: Kind::RowLockHeld,
        name: "row-lock-held",
        what: "a foreign session holds a product's row",
        lasts_seconds: Some(20),
        may_lose_answers: false,
        may_refuse: true,
    },
    Fault {
        kind: Kind::ConnectionsTerminated,
        name: "connections-terminated",
        what: "all of the shop's database sessions are ended at once (pg_terminate_backend)",
        lasts_seconds: None,
        may_lose_answers: true,
        may_refuse: true,
    },
    Fault {
        kind: Kind::PoolExhausted,
        name: "pool-exhausted",
        what: "buyers of another product, whose row is held, occupy every connection of the pools",
        lasts_seconds: Some(5),
        may_lose_answers: false,
        may_refuse: true,
    },
    Fault {
        kind: Kind::ReadOnly,
        name: "read-only",
        what: "PostgreSQL refuses every write, as with a full disk (default_transaction_read_only)",
        lasts_seconds: Some(5),
        may_lose_answers: false,
        may_refuse: true,
    },
    Fault {
        kind: Kind::Burst,
        name: "burst",
        what: "a crowd at once, each on a connection of their own",
        lasts_seconds: None,
        may_lose_answers: false,
        may_refuse: true,
    },
    Fault {
        kind: Kind::ResetDuringSale,
        name: "reset-during-sale",
        what: "the shop's book is reset, again and again, while it is bought",
        lasts_seconds: Some(5),
        may_lose_answers: false,
        may_refuse: true,
    },
    Fault {
        kind: Kind::BuyersLeave,
        name: "buyers-leave",
        what: "buyers close their connections before the answer, at every moment of a request's life",
        lasts_seconds: Some(0),
        may_lose_answers: false,
        may_refuse: false,
    },
    Fault {
        kind: Kind::FarDatabase,
        name: "far-database",
        what: "PostgreSQL is 10 ms away, in each direction, and buyers leave besides",
        lasts_seconds: Some(0),
        may_lose_answers: false,
        may_refuse: true,
    },
    Fault {
        kind: Kind::LostCommitAnswer,
        name: "lost-commit-answer",
        what: "PostgreSQL commits purchases, and the connection breaks before the replica learns it",
        lasts_seconds: Some(5),
        may_lose_answers: true,
        may_refuse: false,
    },
];

/// The faults that have these names, or all faults when there are no names.
///
/// # Errors
/// When no fault has one of the names.
pub fn choose(names: &[String]) -> anyhow::Result<Vec<&'static Fault>> {
    for name in names {
        let known = FAULTS.map(|fault| fault.name).join(", ");
        let is_known = FAULTS.iter().any(|fault| fault.name == name);
        ensure!(is_known, "there is no fault {name}. There are: {known}");
    }
    let is_chosen = |fault: &&Fault| names.is_empty() || names.iter().any(|name| name == fault.name);
    Ok(FAULTS.iter().filter(is_chosen).collect())
}

/// One line for each fault, as `--list` shows them.
pub fn list() -> String {
    let line = |fault: &Fault| {
        let lasts = match fault.lasts_seconds {
            Some(0) => "; as long as the load runs".to_owned(),
            Some(seconds) => format!("; {seconds} s"),
            None => String::new(),
        };
        format!("{:<28}{}{lasts}\n", fault.name, fault.what)
    };
    FAULTS.iter().map(line).collect()
}

impl Fault {
    /// Whether the fault makes a replica stand still, in the middle of its transactions.
    pub fn stands_still(&self) -> bool {
        self.kind == Kind::FreezeReplica
    }

    /// How long the fault lasts: `chosen`, if somebody has chosen a time; `load`, when it goes on as long as the
    /// load.
    pub fn lasts(&self, chosen: Option<Duration>, load: Duration) -> Duration {
        match self.lasts_seconds {
            Some(0) => load,
            Some(seconds) => chosen.unwrap_or(Duration::from_secs(seconds)),
            None => Duration::ZERO,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_are_drilled_once_each_in_the_order_of_the_list() {
        let names = ["burst", "kill-replica", "burst"].map(str::to_owned);

        let chosen: Vec<&str> = choose(&names).unwrap().iter().map(|fault| fault.name).collect();

        assert_eq!(chosen, ["kill-replica", "burst"]);
        assert_eq!(choose(&[]).unwrap().len(), FAULTS.len());
    }

    #[test]
    fn an_unknown_fault_is_named_with_those_that_are_known() {
        let error = choose(&["flood".to_owned()]).unwrap_err().to_string();

        assert!(error.starts_with("there is no fault flood. There are: kill-replica, "), "{error}");
    }
}
