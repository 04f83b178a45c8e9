//! A tower service, as hyper calls it.

use super::activity::{Activity, LastOf, UnderWay};
use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;
use hyper::body::{Body as _, Incoming};
use pin_project_lite::pin_project;
use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker, ready};
use tower_service::Service;

/// A clone of the service for each request.
pub(super) struct Tower<S> {
    pub(super) service: S,
    /// Where requests are counted, if anybody looks.
    pub(super) activity: Option<Arc<Activity>>,
}

impl<S> hyper::service::Service<hyper::Request<Incoming>> for Tower<S>
where
    S: Service<Request, Response = Response, Error = Infallible> + Clone,
{
    type Response = hyper::Response<LastOf>;
    type Error = Infallible;
    type Future = Answer<S>;

    fn call(&self, request: hyper::Request<Incoming>) -> Answer<S> {
        let under_way = self.activity.as_ref().map(UnderWay::begin);
        let request = request.map(body);
        let mut service = self.service.clone();
        // Ready at once, as axum's services always are, the request need not be kept. Nobody has to be woken for this question, as
        // it is asked again where it was not ready.
        let state = match service.poll_ready(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(Ok(())) => State::Answering { answer: service.call(request) },
            Poll::Pending => State::Asked { service, request: Some(request) },
        };
        Answer { state, under_way }
    }
}

/// A body without bytes takes no allocation.
fn body(incoming: Incoming) -> Body {
    if incoming.is_end_stream() { Body::empty() } else { Body::new(incoming) }
}

pin_project! {
    /// The answer to one request.
    pub(super) struct Answer<S>
    where
        S: Service<Request>,
    {
        #[pin]
        state: State<S>,
        under_way: Option<UnderWay>,
    }
}

pin_project! {
    #[project = StateProjection]
    enum State<S>
    where
        S: Service<Request>,
    {
        /// Until the service is ready for it.
        Asked { service: S, request: Option<Request> },
        Answering { #[pin] answer: S::Future },
    }
}

impl<S> Future for Answer<S>
where
    S: Service<Request, Response = Response, Error = Infallible>,
{
    type Output = Result<hyper::Response<LastOf>, Infallible>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        loop {
            match this.state.as_mut().project() {
                StateProjection::Answering { answer } => {
                    let Ok(response) = ready!(answer.poll(cx));
                    let under_way = this.under_way.take();
                    return Poll::Ready(Ok(response.map(|body| LastOf::new(body, under_way))));
                }
                StateProjection::Asked { service, request } => {
                    let Ok(()) = ready!(service.poll_ready(cx));
                    let answer = service.call(request.take().expect("it is taken once, and this state left"));
                    this.state.set(State::Answering { answer });
                }
            }
        }
    }
}
