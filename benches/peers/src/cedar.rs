//! Cedar: a policy for each role, as its documentation has it for RBAC
//! (`principal in Role::".."`), and the caller as an entity with its roles as
//! parents. Roles have no members of their own, so that the caller is the only
//! entity there is.

use anyhow::{Context, Result};
use barmkin_bench_peer::{Decide, Question};
use cedar_policy::{Authorizer, Decision, Entities, Entity, EntityId, EntityTypeName, EntityUid, PolicySet};
use serde_json::Value;
use std::fmt::Write;

pub(crate) fn prepare(question: &Question) -> Result<Decide> {
    let mut text = String::new();
    for role in &question.roles {
        writeln!(
            text,
            r#"permit (principal in Role::"{}", action == Action::"{}", resource) when {{ context.path like "{}*" }};"#,
            role.name, role.method, role.below
        )?;
    }
    let policies: PolicySet = text.parse()?;
    let (user, role): (EntityTypeName, EntityTypeName) = ("User".parse()?, "Role".parse()?);
    let (action, api): (EntityTypeName, EntityUid) = ("Action".parse()?, r#"Api::"v1""#.parse()?);
    let authorizer = Authorizer::new();
    let entity = |name: &EntityTypeName, id: &str| EntityUid::from_type_name_and_id(name.clone(), EntityId::new(id));
    Ok(Box::new(move |request| {
        let document: Value = serde_json::from_str(&request.0)?;
        let text = |pointer| document.pointer(pointer).and_then(Value::as_str).context("a text");
        let caller = entity(&user, text("/claims/sub")?);
        let roles = document.pointer("/claims/roles").and_then(Value::as_array).context("a list of roles")?;
        let roles = roles.iter().filter_map(Value::as_str).map(|name| entity(&role, name)).collect();
        let entities = Entities::from_entities([Entity::new_no_attrs(caller.clone(), roles)], None)?;
        let action = entity(&action, text("/method")?);
        let context = cedar_policy::Context::from_json_value(document, None)?;
        let check = cedar_policy::Request::new(caller, action, api.clone(), context, None)?;
        Ok(authorizer.is_authorized(&check, &policies, &entities).decision() == Decision::Allow)
    }))
}
