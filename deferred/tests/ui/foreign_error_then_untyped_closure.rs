//! A `Result` with a foreign error may be meant as a value: name the next argument's type, or use `try_callback`.

use rt_deferred::Deferred;

fn main() {
    let _port = Deferred::succeed("80").add_callback(|text| text.parse::<u16>()).add_callback(|port| port + 1);
}
