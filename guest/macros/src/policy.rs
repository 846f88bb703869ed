use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::parse::{Parse, ParseStream};
use syn::{Fields, Ident, ItemStruct, LitStr, Path, Token};

use crate::schema;

/// The arguments in the parentheses of `#[policy(..)]`.
#[derive(Default)]
pub(crate) struct Arguments {
    /// `rule = Type`: the rule that is built from these settings, where it is not the
    /// settings themselves.
    rule: Option<Path>,
    /// `reasons = REASONS`: why it denies.
    reasons: Option<Path>,
    /// `example = "file"`: a configuration that uses it.
    example: Option<LitStr>,
}

impl Parse for Arguments {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let mut arguments = Self::default();
        while !input.is_empty() {
            let name: Ident = input.parse()?;
            input.parse::<Token![=]>()?;
            match name.to_string().as_str() {
                "rule" => arguments.rule = Some(input.parse()?),
                "reasons" => arguments.reasons = Some(input.parse()?),
                "example" => arguments.example = Some(input.parse()?),
                _ => {
                    let message = "expected `rule = Type`, `reasons = REASONS` or `example = \"file\"`";
                    return Err(syn::Error::new(name.span(), message));
                }
            }
            if !input.is_empty() {
                input.parse::<Token![,]>()?;
            }
        }
        Ok(arguments)
    }
}

pub(crate) fn expand(arguments: &Arguments, settings: &ItemStruct) -> syn::Result<TokenStream> {
    if !matches!(settings.fields, Fields::Named(_)) {
        let message = "settings have names: write `struct Name { .. }`, or `struct Name {}` for none";
        return Err(syn::Error::new_spanned(&settings.ident, message));
    }
    if !settings.generics.params.is_empty() {
        let message = "a policy cannot be generic: nobody would choose its types";
        return Err(syn::Error::new_spanned(&settings.generics, message));
    }
    let name = &settings.ident;
    let (rule, build) = match &arguments.rule {
        None => (quote!(#name), quote!(::core::result::Result::Ok(self))),
        Some(rule) => (quote!(#rule), quote!(<#rule as ::core::convert::TryFrom<Self>>::try_from(self))),
    };
    let description = description(arguments, settings)?;
    let exports = exports(name);
    let declares_once = quote_spanned! { name.span() =>
        const _: () = ::barmkin_guest::__private::declares_once::<#name>();
    };
    Ok(quote! {
        #[derive(::barmkin_guest::__private::Deserialize)]
        #[serde(
            crate = "::barmkin_guest::__private::serde",
            rename_all = "kebab-case",
            deny_unknown_fields
        )]
        #settings

        impl ::barmkin_guest::Settings for #name {
            type Rule = #rule;

            const DESCRIPTION: ::barmkin_guest::describe::Description = #description;

            fn build(self) -> ::core::result::Result<#rule, ::barmkin_guest::Problems> {
                #build
            }
        }

        #declares_once

        #exports
    })
}

/// Its description of itself.
fn description(arguments: &Arguments, settings: &ItemStruct) -> syn::Result<TokenStream> {
    let summary = schema::lines(&settings.attrs);
    let shape = schema::of_settings(&settings.fields)?;
    let reasons = match &arguments.reasons {
        Some(reasons) => quote!(::core::option::Option::Some(#reasons)),
        None => quote!(::core::option::Option::None),
    };
    let example = match &arguments.example {
        Some(file) => quote!(::core::include_str!(#file)),
        None => quote!(""),
    };
    Ok(quote! {
        ::barmkin_guest::describe::Description {
            summary: #summary,
            settings: #shape,
            reasons: #reasons,
            example: #example,
        }
    })
}

/// The exports of the component. Only in a component: several policies may be
/// linked into one native program. Elsewhere a policy that no test calls is not
/// to be reported as unused.
fn exports(settings: &Ident) -> TokenStream {
    quote! {
        // At the root of the crate, wherever the policy is: `barmkin-build`
        // knows the error of a second one by this name.
        #[cfg(target_arch = "wasm32")]
        #[doc(hidden)]
        #[macro_export]
        macro_rules! a_component_is_one_policy {
            () => {};
        }

        #[cfg(target_arch = "wasm32")]
        const _: () = {
            use ::barmkin_guest::__private::{Configured, Guest, export};
            use ::barmkin_guest::types::{Decision, Input, Manifest, SettingProblem};

            static POLICY: Configured<<#settings as ::barmkin_guest::Settings>::Rule> =
                Configured::new();

            struct Exports;

            impl Guest for Exports {
                fn configure(settings: String) -> Result<Manifest, Vec<SettingProblem>> {
                    POLICY.configure::<#settings>(settings)
                }

                fn check(input: Input) -> Decision {
                    POLICY.check(input)
                }
            }

            export!(Exports with_types_in ::barmkin_guest::bindings);
        };

        // Not part of the memory of anything that runs: a custom section, beside which
        // the linker drops the static itself, since nothing uses it.
        #[cfg(target_arch = "wasm32")]
        const _: () = {
            use ::barmkin_guest::describe::Description;

            const DESCRIPTION: Description = <#settings as ::barmkin_guest::Settings>::DESCRIPTION;

            #[allow(dead_code, reason = "it is read from the component")]
            #[unsafe(link_section = "barmkin-description")]
            #[allow(long_running_const_eval, reason = "it takes as long as its text")]
            static DESCRIBED: [u8; DESCRIPTION.json_length()] = DESCRIPTION.json();
        };

        #[cfg(not(target_arch = "wasm32"))]
        const _: () = {
            #[allow(dead_code, reason = "stands for the exports of a component")]
            fn exports(settings: &str) -> bool {
                ::barmkin_guest::native::configure::<#settings>(settings).is_ok()
            }
        };
    }
}
