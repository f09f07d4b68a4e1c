//! The second lock: Landlock over the whole tree, which forbids mounts even to who has the right, and keeps signals and abstract
//! sockets inside.

use landlock::{
    ABI, Access, AccessFs, CompatLevel, Compatible, PathBeneath, PathFd, Ruleset, RulesetAttr,
    RulesetCreatedAttr, RulesetError, Scope,
};

/// Restricts this process and its children. A kernel without Landlock, or with an older one, gives what it has.
pub(super) fn restrict() -> Result<(), RulesetError> {
    // Asked for by the rights of one version: those of newer kernels that we do not grant would be denied.
    let rights = AccessFs::from_all(ABI::V5);
    let Ok(root) = PathFd::new("/") else {
        return Ok(());
    };
    Ruleset::default()
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(rights)?
        .scope(Scope::AbstractUnixSocket | Scope::Signal)?
        .create()?
        .add_rule(PathBeneath::new(root, rights))?
        .restrict_self()?;
    Ok(())
}
