//! A calculator that is called over AMP.
//!
//! - `amp serve [ADDRESS]` serves until Ctrl-C.
//! - `amp sum ADDRESS A B` and `amp divide ADDRESS A B` ask it.
//!
//! Twisted's AMP examples have the same commands: either side may be theirs.

use std::error::Error;
use std::fmt;
use std::process::ExitCode;

use rt::Failure;
use rt::protocol::amp::{Amp, Arguments, Command, CommandError, Remote};
use rt::protocol::{TcpClientEndpoint, connect_protocol, for_protocol, listen_tcp};

#[derive(Command)]
#[amp(response = Total)]
struct Sum {
    a: i64,
    b: i64,
}

#[derive(Arguments)]
struct Total {
    total: i64,
}

#[derive(Command)]
#[amp(response = Quotient, errors(ZeroDivision = "ZERO_DIVISION"))]
struct Divide {
    numerator: i64,
    denominator: i64,
}

#[derive(Arguments)]
struct Quotient {
    result: f64,
}

#[derive(Debug)]
struct ZeroDivision;

fn calculator() -> Amp {
    Amp::new()
        .responder(|Sum { a, b }| a.checked_add(b).map(|total| Total { total }).ok_or("the sum is too large"))
        .responder(|Divide { numerator, denominator }| match denominator {
            0 => Err(ZeroDivision),
            _ => Ok(Quotient { result: numerator as f64 / denominator as f64 }),
        })
}

#[rt::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let result = match arguments[..] {
        ["serve"] => serve("127.0.0.1:0").await,
        ["serve", address] => serve(address).await,
        ["sum", address, a, b] => sum(address, a, b).await,
        ["divide", address, a, b] => divide(address, a, b).await,
        _ => {
            eprintln!("usage: amp serve [ADDRESS] | amp sum ADDRESS A B | amp divide ADDRESS A B");
            return ExitCode::from(2);
        }
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("amp: {failure}");
            ExitCode::FAILURE
        }
    }
}

async fn serve(address: &str) -> Result<(), Failure> {
    let port = listen_tcp(address, for_protocol(calculator))?;
    println!("Listening on {}", port.host());
    rt::signal::ctrl_c().await?;
    port.stop_listening().await
}

async fn sum(address: &str, a: &str, b: &str) -> Result<(), Failure> {
    let command = Sum { a: a.parse()?, b: b.parse()? };
    let Total { total } = connect(address).await?.call_remote(command).await?;
    println!("{total}");
    Ok(())
}

async fn divide(address: &str, a: &str, b: &str) -> Result<(), Failure> {
    let command = Divide { numerator: a.parse()?, denominator: b.parse()? };
    let Quotient { result } = connect(address).await?.call_remote(command).await?;
    println!("{result}");
    Ok(())
}

async fn connect(address: &str) -> Result<Remote, Failure> {
    let connection = connect_protocol(&TcpClientEndpoint::new(address), Amp::new()).await?;
    Ok(connection.with(|amp, _| amp.remote())?)
}

impl fmt::Display for ZeroDivision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("division by zero")
    }
}

impl Error for ZeroDivision {}

impl CommandError for ZeroDivision {
    fn from_description(_: String) -> Self {
        ZeroDivision
    }
}
