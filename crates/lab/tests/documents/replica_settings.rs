//! Checks that each setting which a replica reads reaches the replicas of `make run` and those in containers. The lab
//! passes on only the variables that it knows, so a setting that it doesn't know would do nothing, without a word.

use std::collections::BTreeSet;

use flash_sale_testbed::shop_settings::{OF_ONE_SHOP, OWN_VARIABLES};

use crate::{read, settings_read_by};

const SETTINGS: &str = "crates/web/src/settings.rs";

#[test]
fn every_setting_of_a_replica_reaches_the_replicas_of_make_run() {
    let settings = read_by_a_replica(&read(SETTINGS));
    let set_for_each_replica = set_for_each_replica();
    let own = OWN_VARIABLES.map(str::to_owned).into();

    let reach_it: BTreeSet<String> = set_for_each_replica.union(&own).cloned().collect();
    assert_eq!(settings, reach_it, "the settings of {SETTINGS}, and what the lab passes on or sets");
    let of_one_shop = OF_ONE_SHOP.map(str::to_owned).into();
    assert!(settings.is_subset(&of_one_shop), "{settings:?} and OF_ONE_SHOP");
}

#[test]
fn every_setting_that_make_run_passes_on_reaches_the_replicas_in_containers() {
    let compose = read("docker-compose.yml");
    let (_, rest) = compose.split_once("\nx-replica-environment:").unwrap();
    let environment = rest.split("\n\n").next().unwrap();

    for name in OWN_VARIABLES {
        assert!(environment.contains(&format!("\n  {name}: ")), "docker-compose.yml passes no {name} on");
    }
}

/// The variables that stand before the colon of each field's documentation, and those that the code reads. A field may
/// be read by a function of another file, so the documentation of each field has to name its variables.
fn read_by_a_replica(code: &str) -> BTreeSet<String> {
    let fields = code.split("pub struct Settings {").nth(1).unwrap().split("\n}").next().unwrap();
    let mut names: BTreeSet<String> = settings_read_by(code).into_iter().collect();
    let mut said = "";
    for line in fields.lines().map(str::trim) {
        if let Some(text) = line.strip_prefix("/// ") {
            said = if said.is_empty() { text } else { said };
        } else if line.starts_with("pub ") {
            let (variables, _) = said.split_once(':').unwrap_or_else(|| panic!("which variable? {line}"));
            let words = variables.split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_');
            let variables: Vec<&str> = words.filter(|word| is_variable(word)).collect();
            assert!(!variables.is_empty(), "which variable? {line}");
            names.extend(variables.into_iter().map(str::to_owned));
            said = "";
        }
    }
    names
}

/// The variables that the lab sets by itself for each replica that it starts.
fn set_for_each_replica() -> BTreeSet<String> {
    let code = read("crates/testbed/src/shop_process.rs");
    let own = code.split("let own = [").nth(1).unwrap().split("];").next().unwrap();
    own.split("(\"").skip(1).map(|rest| rest.split('"').next().unwrap().to_owned()).collect()
}

fn is_variable(word: &str) -> bool {
    word.len() > 3 && word.bytes().all(|letter| letter.is_ascii_uppercase() || letter == b'_')
}
