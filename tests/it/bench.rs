//! The load bench as a program: small loads, and whether the report says of them what it should. No figure is judged.

use serde_json::Value;
use tempfile::TempDir;

use crate::cli::run;

#[test]
fn the_paced_load_of_pairs_is_reported_for_each_engine() {
    let folder = TempDir::new().unwrap();
    let load = ["bench", "peer-durable-paced", "--members", "40", "--rate", "200", "--seconds", "1", "--rounds", "1"];
    let (code, out, err) = run(folder.path(), &[&load[..], &["--engine", "sled,memory", "--json", "report.json"]].concat());
    assert_eq!(code, 0, "{out}{err}");
    let table = out.lines().position(|line| line.split_whitespace().eq(["peer-durable-paced", "sled", "memory"]));
    assert!(table.is_some(), "{out}");

    let report: Value = serde_json::from_str(&std::fs::read_to_string(folder.path().join("report.json")).unwrap()).unwrap();
    let runs = report["runs"].as_array().unwrap();
    let subjects: Vec<&str> = runs.iter().map(|run| run["subject"].as_str().unwrap()).collect();
    assert_eq!(subjects, ["tidings", "tidings, memory"]);
    for run in runs {
        assert_eq!(run["members"], 40);
        // What was due in one second, the sends of which nobody waited for an answer.
        assert_eq!((&run["published"], &run["delivered"], &run["offered_per_second"]), (&200.into(), &200.into(), &200.0.into()));
        for quantiles in [&run["answers"]["storable"], &run["latency"]["peer/storable"]] {
            let [p50, p90, p99, max] = ["p50_ms", "p90_ms", "p99_ms", "max_ms"].map(|name| quantiles[name].as_f64().unwrap());
            assert!(0.0 < p50 && p50 <= p90 && p90 <= p99 && p99 <= max, "{quantiles}");
            assert_eq!(quantiles["count"], 200);
        }
        assert!(run["commits"].as_u64().unwrap() > 0 && run["messages_per_commit"].as_f64().unwrap() > 0.0, "{run}");
        assert!(run["cpu_per_million"].as_f64().is_some() && run["disk_bytes_per_message"].as_f64().is_some(), "{run}");
        assert_eq!(run["audit"]["expected"], run["audit"]["received"]);
        assert_eq!(run["audit"]["storable_lost"].as_u64().zip(run["audit"]["duplicates"].as_u64()), Some((0, 0)));
    }
}

#[test]
fn an_engine_that_there_is_not_is_refused_with_those_there_are() {
    let folder = TempDir::new().unwrap();
    let (code, _, err) = run(folder.path(), &["bench", "peer-durable-paced", "--engine", "sled,paper"]);
    assert_eq!(code, 2, "{err}");
    assert!(err.contains("'paper'") && err.contains("sled, memory"), "{err}");
    let (code, _, err) = run(folder.path(), &["bench", "idle", "--engine", "memory"]);
    assert_eq!(code, 2, "{err}");
    assert!(err.contains("peer-durable-paced"), "{err}");
}

/// Starts brokers, a database and a bus: rooms, people at different brokers, and a death.
#[cfg(feature = "cluster")]
#[test]
fn several_brokers_are_measured_beside_one_and_nothing_of_them_is_left() {
    if crate::nats::program().is_none() || !crate::cluster::is_installed() {
        return;
    }
    let folder = TempDir::new().unwrap();
    // The database's user must get in as well.
    std::fs::set_permissions(folder.path(), std::os::unix::fs::PermissionsExt::from_mode(0o777)).unwrap();
    let within = folder.path().to_str().unwrap();
    let scenarios = "cluster-room,cluster-peer,cluster-failover";
    let load = ["bench", scenarios, "--quick", "--nodes", "2", "--members", "40", "--seconds", "1", "--rate", "100"];
    let (code, out, err) = run(folder.path(), &[&load[..], &["--seed", "7", "--work-dir", within, "--json", "report.json"]].concat());
    assert_eq!(code, 0, "{out}{err}");

    let report: Value = serde_json::from_str(&std::fs::read_to_string(folder.path().join("report.json")).unwrap()).unwrap();
    let runs = report["runs"].as_array().unwrap();
    let named = |name: &str| runs.iter().filter(|run| run["scenario"] == name).collect::<Vec<_>>();
    for scenario in ["cluster-room", "cluster-room-above", "cluster-peer"] {
        let subjects: Vec<&Value> = named(scenario).iter().map(|run| &run["subject"]).collect();
        assert_eq!(subjects, ["tidings, 1 node on PostgreSQL", "tidings, 2 nodes"], "{scenario}");
    }
    for run in named("cluster-room-above") {
        assert!(run["dropped"].as_object().is_some_and(|dropped| !dropped.is_empty()), "three times its budget: {run}");
    }
    for run in named("cluster-peer") {
        // As many went before the measurement.
        assert_eq!((&run["published"], &run["delivered"], &run["audit"]["in_history"]), (&100.into(), &100.into(), &200.into()));
    }
    let [died] = named("cluster-failover")[..] else { panic!("{out}") };
    let (kept, acknowledged) = (died["audit"]["in_history"].as_u64().unwrap(), died["published"].as_u64().unwrap());
    assert!(kept >= acknowledged && acknowledged >= 100, "{died}");
    assert!(died["failover"]["everyone_ms"].as_f64().unwrap() > 1000.0, "the heir waits for the lease: {died}");
    let ratios = report["findings"].as_array().unwrap().iter().filter(|finding| finding["floor"].is_f64()).count();
    assert!(ratios >= 6, "{out}");
    let left: Vec<_> = std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, ["report.json"]);
}

#[test]
fn several_brokers_are_refused_where_they_cannot_be() {
    let folder = TempDir::new().unwrap();
    let refused = |arguments: &[&str], wanted: &str| {
        let (code, _, err) = run(folder.path(), &[&["bench"], arguments].concat());
        assert_eq!(code, 2, "{err}");
        assert!(err.contains(wanted), "{err}");
    };
    refused(&["--nodes", "1"], "2 to 9");
    refused(&["idle", "--nodes", "3"], "none is chosen");
    refused(&["cluster-peer", "--set", "STORE__ENGINE=sled"], "store.engine");
    if cfg!(not(feature = "cluster")) {
        refused(&["--nodes", "3"], "without the feature `cluster`");
    }
}
