//! What `lab check` says of right fixes, wrong fixes and tricks. Each patch beside this file is one of
//! them. Three more stand in DETONADO.md, whose readers try them. The test applies, builds, runs and judges them in copies
//! of this tree, one after the other in each copy.
//!
//! ```sh
//! make test-variants
//! make test-variants VARIANT=guide-fix,nowait
//! ```

#![expect(clippy::unwrap_used, reason = "helpers of tests may panic as tests do")]

mod copy;
#[path = "../../../explorer/tests/explorer/model.rs"]
mod model;
mod table;

use std::collections::BTreeSet;
use std::fs;
use std::process::Command;
use std::thread;

use flash_sale_core::environment;
use flash_sale_lab::guide::wrong_fix::WrongFix;
use flash_sale_lab::guide::{GUIDE, drift};
use parking_lot::Mutex;
use serde_json::Value;

use copy::{Copy, patch, patches, root, run_well};
use model::{Model, count};
use table::{AS_SHIPPED, OF_THE_GUIDE, VARIANTS, Variant, WITH_ROW_LOCK};

/// The longest time of a check, in seconds.
const LIMIT: f64 = 30.0;
/// So many variants are judged at the same time, each in a copy of its own: a check mostly waits for payments.
const COPIES: usize = 2;

/// The check that plays the interleavings.
const PROOF: &str = "every interleaving";

#[test]
#[ignore = "minutes: run by make test-variants"]
fn every_variant_is_judged_rightly_and_every_check_fails_for_one_of_them() {
    let only = environment::text("VARIANT", "").unwrap();
    let is_wanted = |variant: &&Variant| only.is_empty() || only.split(',').any(|name| name == variant.name);
    let to_judge = Mutex::new(VARIANTS.iter().filter(is_wanted));
    let judgements = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for _ in 0..COPIES {
            scope.spawn(|| {
                let copy = Copy::make();
                loop {
                    let Some(variant) = to_judge.lock().next() else { return };
                    let judgement = Judgement::of(variant, &copy.judge(variant, &[]));
                    println!("{}", judgement.line);
                    judgements.lock().push(judgement);
                }
            });
        }
    });
    let judgements = judgements.into_inner();
    let wrong: Vec<&str> = judgements.iter().filter_map(|judgement| judgement.wrong.as_deref()).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
    if !only.is_empty() {
        return;
    }
    let with_constraint = VARIANTS.iter().find(|variant| variant.name == "constraint-and-fixed").unwrap();
    let allowed = Copy::make().judge(with_constraint, &["--allow-constraint"]);
    assert_eq!(allowed["verdict"], "fixed", "{allowed:#}");
    let all: BTreeSet<&String> = judgements.iter().flat_map(|judgement| &judgement.all).collect();
    let failed_once: BTreeSet<&String> = judgements.iter().flat_map(|judgement| &judgement.failed).collect();
    assert_eq!(failed_once, all, "each check is failed by a variant");
}

/// What the check said of a variant.
struct Judgement {
    /// It in one line.
    line: String,
    /// What is wrong with it, if something is.
    wrong: Option<String>,
    /// All checks.
    all: BTreeSet<String>,
    /// Those that failed.
    failed: BTreeSet<String>,
}

impl Judgement {
    fn of(variant: &Variant, report: &Value) -> Self {
        let Variant { name, verdict, failed: must, maybe, mistake, sends } = variant;
        let names = |failed_only: bool| -> BTreeSet<String> {
            let checks = report["checks"].as_array().unwrap().iter();
            let checks = checks.filter(|check| !failed_only || check["passed"] == false);
            checks.map(|check| check["name"].as_str().unwrap().to_owned()).collect()
        };
        let failed = names(true);
        let seconds = report["figures"]["seconds"].as_f64().unwrap();
        let named = report["mistake"]["name"].as_str().unwrap_or_default();
        let line = format!("{name:<28} {seconds:4.1} s  {}  {named}  {failed:?}", report["closing"]);
        // No right fix has an interleaving that breaks a rule. Which of the others has one is for the explorer's tests.
        let may_be_proven = |check: &str| check == PROOF && *verdict != "fixed";
        let said = report["verdict"].as_str().unwrap();
        let is_right = verdict.split(" or ").any(|verdict| verdict == said)
            && must.iter().all(|name| failed.contains(*name))
            && failed.iter().all(|name| {
                must.contains(&name.as_str()) || maybe.contains(&name.as_str()) || may_be_proven(name)
            })
            && named == *mistake
            && is_proof_as_counted(sends, &report["exploration"])
            && report["why"].is_null() == (*verdict != "fixed")
            && seconds <= LIMIT;
        let wrong = (!is_right).then(|| {
            format!("{line}\nexpected: {verdict}, {mistake}, {must:?}, perhaps {maybe:?}\n{report:#}")
        });
        Self { line, wrong, all: names(false), failed }
    }
}

/// Whether the interleavings are those that the model counts. After the first one that oversells, the check soon stops. On
/// a slow machine, it stops before it has played all of a fix.
fn is_proof_as_counted(sends: &[Model], played: &Value) -> bool {
    let counted = count(sends);
    let figure = |name: &str| played[name].as_u64().and_then(|figure| usize::try_from(figure).ok());
    let (Some(schedules), Some(oversold), Some(waited)) =
        (figure("schedules"), figure("oversold"), figure("waited"))
    else {
        return sends.is_empty();
    };
    let is_whole = (schedules, waited) == (counted.schedules, counted.waited);
    let is_cut_off = played["complete"] == false && schedules < counted.schedules;
    sends.is_empty() || ((oversold > 0) == (counted.oversold > 0) && (is_whole || is_cut_off))
}

#[test]
fn the_figures_of_a_proof_are_compared_with_the_model() {
    let played = |schedules: u64, oversold: u64, waited: u64, complete: bool| {
        serde_json::json!({
            "schedules": schedules, "oversold": oversold, "waited": waited, "complete": complete,
        })
    };

    for right in [played(36, 0, 24, true), played(20, 0, 10, false)] {
        assert!(is_proof_as_counted(WITH_ROW_LOCK, &right), "{right}");
    }
    for wrong in
        [played(35, 0, 24, true), played(36, 0, 23, true), played(36, 1, 24, true), played(40, 0, 24, false)]
    {
        assert!(!is_proof_as_counted(WITH_ROW_LOCK, &wrong), "{wrong}");
    }
    assert!(is_proof_as_counted(AS_SHIPPED, &played(17, 14, 0, false)));
    assert!(!is_proof_as_counted(AS_SHIPPED, &played(17, 0, 0, false)));
    assert!(!is_proof_as_counted(AS_SHIPPED, &Value::Null));
}

#[test]
fn every_patch_is_in_the_list_and_says_what_it_is() {
    let files = fs::read_dir(patches()).unwrap().map(|entry| entry.unwrap().path());
    let patches = files.filter(|path| path.extension().is_some_and(|extension| extension == "patch"));
    let mut names: Vec<String> =
        patches.map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned()).collect();
    let mut listed: Vec<&str> = VARIANTS.iter().map(|variant| variant.name).collect();
    names.push("shipped".to_owned());
    names.extend(OF_THE_GUIDE.map(str::to_owned));
    names.sort();
    listed.sort();
    assert_eq!(names, listed);

    for variant in VARIANTS.iter().filter(|variant| variant.is_a_patch()) {
        let patch = fs::read_to_string(patch(variant.name)).unwrap();
        assert!(patch.lines().next().unwrap().contains("Verdict: "), "{}", variant.name);
    }
}

/// This takes seconds, not minutes. One file is left out here: somebody who follows the walkthrough edits it.
#[test]
fn every_patch_still_fits_the_tree() {
    for variant in VARIANTS.iter().filter(|variant| variant.is_a_patch()) {
        let options = ["apply", "--check", "-C1", "--exclude=crates/repositories/src/product_repository.rs"];
        run_well(Command::new("git").args(options).arg(patch(variant.name)).current_dir(root()));
    }
    let guide = fs::read_to_string(root().join(GUIDE)).unwrap();
    assert_eq!(WrongFix::all(&guide).unwrap().len(), OF_THE_GUIDE.len());
    assert_eq!(drift::wrong_fixes(&root(), &guide).unwrap(), Vec::<String>::new());
}
