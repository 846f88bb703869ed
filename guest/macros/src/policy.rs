use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::parse::{Parse, ParseStream};
use syn::{Fields, Ident, ItemStruct, Path, Token};

/// Empty, or `rule = Type`: the rule that is built from these settings, where
/// it is not the settings themselves.
pub(crate) struct Arguments {
    rule: Option<Path>,
}

impl Parse for Arguments {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        if input.is_empty() {
            return Ok(Self { rule: None });
        }
        let name: Ident = input.parse()?;
        if name != "rule" {
            return Err(syn::Error::new(name.span(), "expected `rule = Type`"));
        }
        input.parse::<Token![=]>()?;
        Ok(Self { rule: Some(input.parse()?) })
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

            fn build(self) -> ::core::result::Result<#rule, ::barmkin_guest::Problems> {
                #build
            }
        }

        #declares_once

        #exports
    })
}

/// What the component exports. Only in a component: several policies may be
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

        #[cfg(not(target_arch = "wasm32"))]
        const _: () = {
            #[allow(dead_code, reason = "stands for the exports of a component")]
            fn exports(settings: &str) -> bool {
                ::barmkin_guest::native::configure::<#settings>(settings).is_ok()
            }
        };
    }
}
