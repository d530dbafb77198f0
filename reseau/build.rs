//! Answers one platform question once: is there an io_uring backend for this target?
//! (The `io-uring` crate has its kernel bindings for these machines only.)
fn main() {
    println!("cargo::rustc-check-cfg=cfg(uring)");
    let var = |name: &str| std::env::var(name).unwrap_or_default();
    let arch = ["x86_64", "aarch64", "riscv64", "loongarch64", "powerpc64"];
    let known = var("CARGO_CFG_TARGET_OS") == "linux"
        && arch.contains(&var("CARGO_CFG_TARGET_ARCH").as_str());
    if known && std::env::var_os("CARGO_FEATURE_ASYNC").is_some() {
        println!("cargo::rustc-cfg=uring");
    }
    println!("cargo::rerun-if-changed=build.rs");
}
