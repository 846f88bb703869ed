use proc_macro2::TokenStream;
use quote::quote;
use syn::parse::{Parse, ParseStream};
use syn::{Attribute, Ident, LitStr, Token, Visibility};

/// `pub Name = "text"`, with attributes before and perhaps a `;` behind.
pub(crate) struct Named {
    attributes: Vec<Attribute>,
    visibility: Visibility,
    name: Ident,
    text: LitStr,
}

impl Parse for Named {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let attributes = input.call(Attribute::parse_outer)?;
        let visibility = input.parse()?;
        let name = input.parse()?;
        input.parse::<Token![=]>()?;
        let text = input.parse()?;
        input.parse::<Option<Token![;]>>()?;
        Ok(Self { attributes, visibility, name, text })
    }
}

pub(crate) fn expand(named: &Named) -> syn::Result<TokenStream> {
    let Named { attributes, visibility, name, text } = named;
    let value = text.value();
    if value.is_empty() {
        return Err(syn::Error::new(text.span(), "a name has at least one character"));
    }
    if value.contains(char::is_control) {
        return Err(syn::Error::new(text.span(), "a name has no control characters"));
    }
    let field = is_field_name(&value).then(|| quote!(impl ::barmkin_guest::extract::HeaderName for #name {}));
    Ok(quote! {
        #(#attributes)*
        #[derive(Clone, Copy, Debug)]
        #visibility struct #name;

        impl ::barmkin_guest::Name for #name {
            const NAME: &'static str = #text;
        }

        #field
    })
}

/// Whether it is a field name (RFC 9110, section 5.6.2) in lower case.
fn is_field_name(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"!#$%&'*+-.^_`|~".contains(&byte))
}
