//! Endpoints in writing.

mod arguments;
mod client;
mod error;
mod server;
#[cfg(feature = "tls")]
mod tls;
mod tokens;

pub use client::{AnyStreamClientEndpoint, client_from_string};
pub use error::EndpointStringError;
pub use server::{AnyStreamServerEndpoint, server_from_string};
pub use tokens::quote_string_argument;
