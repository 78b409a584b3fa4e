//! What a reader has to know about the machine to judge the figures.

use std::fs;
use std::process::Command;

/// (what, value), in the order to show them.
pub fn describe() -> Vec<(&'static str, String)> {
    let cpuinfo = read("/proc/cpuinfo");
    let model = cpuinfo.lines().find_map(|line| line.strip_prefix("model name")?.split_once(':'));
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let memory_kib = first_number(&read("/proc/meminfo"));
    let version = output("redis-benchmark", &["--version"]);
    vec![
        ("date", output("date", &["-u", "+%Y-%m-%d %H:%M UTC"])),
        ("processor", model.map_or("unknown".into(), |(_, model)| model.trim().to_owned())),
        ("cores", cores.to_string()),
        ("memory", format!("{:.0} GiB", memory_kib / 1024.0 / 1024.0)),
        ("virtual machine", if cpuinfo.contains(" hypervisor") { "yes" } else { "no" }.to_owned()),
        ("kernel", read("/proc/sys/kernel/osrelease").trim().to_owned()),
        ("transparent huge pages", read("/sys/kernel/mm/transparent_hugepage/enabled").trim().to_owned()),
        ("load average at the start", read("/proc/loadavg").trim().to_owned()),
        ("load generator", version),
    ]
}

fn read(path: &str) -> String {
    fs::read_to_string(path).unwrap_or_default()
}

fn first_number(text: &str) -> f64 {
    text.split_whitespace().find_map(|word| word.parse().ok()).unwrap_or(0.0)
}

fn output(program: &str, args: &[&str]) -> String {
    let output = Command::new(program).args(args).output();
    let text = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default();
    text.lines().next().unwrap_or("unknown").trim().to_owned()
}
