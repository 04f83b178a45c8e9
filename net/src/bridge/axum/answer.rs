//! A tower service, as hyper calls it.

use axum::body::Body;
use axum::extract::Request;
use hyper::body::{Body as _, Incoming};
use pin_project_lite::pin_project;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use tower_service::Service;

/// A clone of the service for each request.
pub(super) struct Tower<S>(pub(super) S);

impl<S> hyper::service::Service<hyper::Request<Incoming>> for Tower<S>
where
    S: Service<Request> + Clone,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = Answer<S>;

    fn call(&self, request: hyper::Request<Incoming>) -> Answer<S> {
        Answer::Asked { service: self.0.clone(), request: Some(request.map(body)) }
    }
}

/// A body without bytes takes no allocation.
fn body(incoming: Incoming) -> Body {
    if incoming.is_end_stream() { Body::empty() } else { Body::new(incoming) }
}

pin_project! {
    /// The answer to one request.
    #[project = AnswerProjection]
    pub(super) enum Answer<S>
    where
        S: Service<Request>,
    {
        /// Until the service is ready for it.
        Asked { service: S, request: Option<Request> },
        Answering { #[pin] answer: S::Future },
    }
}

impl<S: Service<Request>> Future for Answer<S> {
    type Output = Result<S::Response, S::Error>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        loop {
            match self.as_mut().project() {
                AnswerProjection::Answering { answer } => return answer.poll(cx),
                AnswerProjection::Asked { service, request } => {
                    ready!(service.poll_ready(cx))?;
                    let answer = service.call(request.take().expect("it is taken once, and this state left"));
                    self.set(Answer::Answering { answer });
                }
            }
        }
    }
}
