//! stub
pub(super) fn hosts(_name: &str) -> Vec<(&'static str, u16)> {
    Vec::new()
}
pub(super) fn with(_h: &str) -> Option<&'static str> {
    None
}
