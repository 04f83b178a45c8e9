//! `?` and a bare `Ok` leave the error open: `try_callback` is for that.

use rt_deferred::Deferred;

fn main() {
    let _port = Deferred::succeed("80").add_callback(|text| {
        let port: u16 = text.parse()?;
        Ok(port)
    });
}
