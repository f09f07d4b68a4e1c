//! What a request to a model asks for, and who may answer.

use std::borrow::Cow;

use bytes::Bytes;
use http::{Method, StatusCode};

use super::super::path::plain;
use super::{known, targets_of};
use crate::answer::Refusal;
use crate::config::{Config, Price, Resource, Target};
use crate::llm::request::RequestBody;
use crate::llm::usage::estimate;

/// What is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Operation {
    Chat,
    Completion,
    Response,
    Embedding,
}

/// Tokens that are reserved for an answer whose length the request does not bound.
const UNBOUNDED: u64 = 1024;

impl Operation {
    /// What a request does; nothing where it is not read.
    ///
    /// # Errors
    /// Where the path is another spelling of one that is read: the upstream may know it, and nothing would hold it to models and limits.
    pub(super) fn of(method: &Method, path: &str) -> Result<Option<Self>, Refusal> {
        if method != Method::POST {
            return Ok(None);
        }
        let operation = Self::at(path);
        if operation.is_none() {
            let plain = plain(path);
            if Self::at(&plain).is_some() {
                let message = format!("write the path as `/v1{plain}`");
                return Err(Refusal::invalid("invalid_path", message));
            }
        }
        Ok(operation)
    }

    fn at(path: &str) -> Option<Self> {
        match path {
            "/chat/completions" => Some(Self::Chat),
            "/completions" => Some(Self::Completion),
            "/responses" => Some(Self::Response),
            "/embeddings" => Some(Self::Embedding),
            _ => None,
        }
    }

    /// OpenTelemetry's word for it.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Chat | Self::Response => "chat",
            Self::Completion => "text_completion",
            Self::Embedding => "embeddings",
        }
    }
}

/// A request that can be sent.
pub(super) struct Plan<'a> {
    /// The model as the caller names it.
    pub(super) asked: String,
    /// Who may answer, in the order of trying.
    pub(super) targets: Cow<'a, [Target]>,
    pub(super) request: RequestBody,
    pub(super) body: Bytes,
    /// Tokens that are reserved for the prompt.
    pub(super) input: u64,
    /// Tokens that are reserved for the answer.
    pub(super) output: u64,
    operation: Operation,
}

impl<'a> Plan<'a> {
    pub(super) fn new(
        config: &Config,
        resource: &'a Resource,
        operation: Operation,
        request: RequestBody,
        body: Bytes,
    ) -> Result<Self, Refusal> {
        let asked = request.model.as_ref().map(|(name, _)| name.clone());
        let asked =
            asked.ok_or_else(|| Refusal::invalid("missing_model", "the body has no `model`"))?;
        let targets = targets_of(config, resource, &asked)?;
        let output = match operation {
            Operation::Embedding => 0,
            _ => request
                .max_tokens
                .unwrap_or(UNBOUNDED)
                .saturating_mul(request.answers),
        };
        Ok(Self {
            asked,
            targets,
            input: estimate(body.len()),
            output,
            request,
            body,
            operation,
        })
    }

    /// Whether usage is asked for in the caller's place.
    pub(super) const fn asks_usage(&self) -> bool {
        let has_option = matches!(self.operation, Operation::Chat | Operation::Completion);
        has_option && self.request.is_stream && !self.request.wants_usage()
    }

    /// The body as a target gets it.
    pub(super) fn body_for(&self, target: &Target) -> Bytes {
        self.request
            .edited(&self.body, &target.model, self.asks_usage())
    }

    /// The highest price that could come up.
    pub(super) fn dearest(&self) -> Option<Price> {
        let prices = self.targets.iter().filter_map(|target| target.price);
        prices.max_by_key(|price| price.of(self.input, self.output))
    }
}

pub(super) fn unknown_model(config: &Config, resource: &Resource, asked: &str) -> Refusal {
    let asked: String = asked.chars().take(100).collect();
    let message = format!(
        "the model `{asked}` is not one of `{}` in `{}`; known: {}",
        resource.name,
        config.environment,
        known(resource).join(", ")
    );
    Refusal::invalid("model_not_found", message).status(StatusCode::NOT_FOUND)
}
