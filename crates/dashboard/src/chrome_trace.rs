//! A click in the Trace Event Format, which Perfetto and Chromium's `about:tracing` open: a process for each replica, a
//! thread for each lane, and a flow from each wait to the statement that it waits for.

use flash_sale_diagnosis::sql::label;
use serde_json::{Value, json};

use crate::crowd::Crowd;
use crate::lane::{Lane, Step};
use crate::waits::{Waiting, waits};

/// The whole file.
pub fn trace(crowd: &Crowd) -> Value {
    let mut replicas: Vec<&str> = crowd.all_lanes().map(|lane| lane.replica).collect();
    replicas.sort_unstable();
    replicas.dedup();
    let process = |lane: &Lane| {
        replicas.iter().position(|replica| *replica == lane.replica).map_or(0, |place| place + 1)
    };

    let mut events: Vec<Value> =
        replicas.iter().enumerate().map(|(place, name)| named("process_name", place + 1, 0, name)).collect();
    for (thread, lane) in crowd.all_lanes().enumerate() {
        let name = format!("{} (connection {})", lane.letter, lane.backend_pid);
        events.push(named("thread_name", process(lane), thread, &name));
        events.extend(lane.steps.iter().map(|step| bar(process(lane), thread, step)));
    }
    for (number, wait) in waits(crowd).iter().enumerate() {
        events.extend(flow(crowd, number, wait, &process).into_iter().flatten());
    }
    json!({ "displayTimeUnit": "ms", "traceEvents": events })
}

fn named(what: &str, process: usize, thread: usize, name: &str) -> Value {
    json!({ "ph": "M", "name": what, "pid": process, "tid": thread, "args": { "name": name } })
}

fn bar(process: usize, thread: usize, step: &Step) -> Value {
    let statement = step.statement;
    let mut event = json!({
        "name": label(&statement.sql), "cat": "sql", "ph": "X", "pid": process, "tid": thread,
        "ts": microseconds(step.began_ms),
        "args": {
            "sql": statement.sql, "parameters": statement.parameters, "tag": statement.tag, "rows": statement.rows,
            "saw": statement.saw, "error": statement.error, "blocked_by": statement.blocked_by,
        },
    });
    match step.ended_ms {
        Some(ended) => event["dur"] = json!(microseconds(ended) - microseconds(step.began_ms)),
        // It has begun, and not ended.
        None => event["ph"] = json!("B"),
    }
    event
}

/// From the statement that took the lock to the one that waits for it. The lanes of `waits` are the first threads.
fn flow(
    crowd: &Crowd,
    number: usize,
    wait: &Waiting,
    process: &impl Fn(&Lane) -> usize,
) -> Option<[Value; 2]> {
    let (holder, taken_by) = wait.holder?;
    let end = |phase: &str, lane: usize, step: &Step| {
        json!({
            "name": "holds the lock", "cat": "lock", "ph": phase, "bp": "e", "id": number,
            "pid": process(&crowd.lanes[lane]), "tid": lane, "ts": microseconds(step.began_ms),
        })
    };
    let taken = crowd.lanes[holder].steps.get(taken_by?)?;
    let waiting = crowd.lanes[wait.lane].steps.get(wait.step)?;
    Some([end("s", holder, taken), end("f", wait.lane, waiting)])
}

fn microseconds(ms: f64) -> i64 {
    (ms * 1e3).round() as i64
}
