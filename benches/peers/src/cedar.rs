//! Cedar: a policy for each role, as its documentation has it for RBAC
//! (`principal in Role::".."`), and the caller as an entity with its roles as
//! parents. Roles have no members of their own, so that the caller is the only
//! entity there is.

use anyhow::Result;
use barmkin_bench_peer::{Claims, Decide, Question, Request};
use cedar_policy::{
    Authorizer, Context, Decision, Entities, Entity, EntityId, EntityTypeName, EntityUid, PolicySet,
    RestrictedExpression,
};
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
    let types = Types { user: "User".parse()?, role: "Role".parse()?, action: "Action".parse()? };
    let api: EntityUid = r#"Api::"v1""#.parse()?;
    let authorizer = Authorizer::new();
    Ok(Box::new(move |request| {
        let (caller, entities) = types.caller(request)?;
        let action = EntityUid::from_type_name_and_id(types.action.clone(), EntityId::new(&request.method));
        let check = cedar_policy::Request::new(caller, action, api.clone(), context(request)?, None)?;
        Ok(authorizer.is_authorized(&check, &policies, &entities).decision() == Decision::Allow)
    }))
}

struct Types {
    user: EntityTypeName,
    role: EntityTypeName,
    action: EntityTypeName,
}

impl Types {
    fn caller(&self, request: &Request) -> Result<(EntityUid, Entities)> {
        let claims: Claims = serde_json::from_str(&request.claims)?;
        let role = |name: &String| EntityUid::from_type_name_and_id(self.role.clone(), EntityId::new(name));
        let roles = claims.roles.iter().map(role).collect();
        let caller = EntityUid::from_type_name_and_id(self.user.clone(), EntityId::new(&claims.sub));
        let entities = Entities::from_entities([Entity::new_no_attrs(caller.clone(), roles)], None)?;
        Ok((caller, entities))
    }
}

fn context(request: &Request) -> Result<Context> {
    let text = |text: &str| RestrictedExpression::new_string(text.to_owned());
    let headers = request.headers.iter().map(|(name, value)| (name.clone(), text(value)));
    Ok(Context::from_pairs([
        ("path".to_owned(), text(&request.path)),
        ("headers".to_owned(), RestrictedExpression::new_record(headers)?),
    ])?)
}
