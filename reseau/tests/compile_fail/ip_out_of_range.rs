fn main() {
    let _ = reseau::ip!("127.0.0.1");
    let _ = reseau::ip!("127.0.0.256");
}
