//! The shape of a type, from its fields and their doc comments.

use proc_macro2::TokenStream;
use quote::quote;
use syn::ext::IdentExt;
use syn::meta::ParseNestedMeta;
use syn::parse::Parse;
use syn::{
    Attribute, Data, DeriveInput, Expr, ExprLit, Field, Fields, Ident, Lit, LitStr, Meta, Token, Type, Variant,
    parenthesized,
};

/// `#[derive(Schema)]`.
pub(crate) fn derive(input: &DeriveInput) -> syn::Result<TokenStream> {
    if !input.generics.params.is_empty() {
        return Err(syn::Error::new_spanned(&input.generics, "settings cannot be generic"));
    }
    let serde = Serde::read(&input.attrs)?;
    let shape = match (&serde.from, &input.data) {
        (Some(from), _) => of_type(from),
        (None, Data::Struct(data)) => table(&lines(&input.attrs), &data.fields, serde.case)?,
        (None, Data::Enum(data)) => choices(data.variants.iter(), serde.case)?,
        (None, Data::Union(data)) => {
            return Err(syn::Error::new_spanned(data.union_token, "settings are structs and enums"));
        }
    };
    let name = &input.ident;
    Ok(quote! {
        impl ::barmkin_guest::describe::Schema for #name {
            const SHAPE: ::barmkin_guest::describe::Shape = #shape;
        }
    })
}

/// The shape of the settings of a policy, whose names are in kebab-case.
pub(crate) fn of_settings(fields: &Fields) -> syn::Result<TokenStream> {
    table(&quote!(&[]), fields, Case::Kebab)
}

/// The lines of a doc comment.
pub(crate) fn lines(attributes: &[Attribute]) -> TokenStream {
    let lines = attributes.iter().filter(|attribute| attribute.path().is_ident("doc")).filter_map(|attribute| {
        let Meta::NameValue(doc) = &attribute.meta else { return None };
        let Expr::Lit(ExprLit { lit: Lit::Str(line), .. }) = &doc.value else { return None };
        Some(line.clone())
    });
    quote!(&[#(#lines),*])
}

fn table(text: &TokenStream, fields: &Fields, case: Case) -> syn::Result<TokenStream> {
    let Fields::Named(named) = fields else {
        return Err(syn::Error::new_spanned(fields, "settings have names: write `struct Name { .. }`"));
    };
    let mut described = Vec::new();
    for field in &named.named {
        let serde = Serde::read(&field.attrs)?;
        if serde.is_flat {
            // Its names are those of another type.
            return Ok(quote!(::barmkin_guest::describe::Shape::Any));
        }
        if let Some(name) = field.ident.as_ref().filter(|_| !serde.is_skipped) {
            described.push(one(field, name, serde, case));
        }
    }
    Ok(quote! {
        ::barmkin_guest::describe::Shape::Table(&::barmkin_guest::describe::Table {
            text: #text,
            fields: &[#(#described),*],
        })
    })
}

fn one(field: &Field, name: &Ident, serde: Serde, case: Case) -> TokenStream {
    let name = serde.rename.unwrap_or_else(|| case.of_field(&name.unraw().to_string()));
    let text = lines(&field.attrs);
    let is_required = !serde.has_default && !is_option(&field.ty);
    let shape =
        if serde.is_read_otherwise { quote!(::barmkin_guest::describe::Shape::Any) } else { of_type(&field.ty) };
    quote! {
        ::barmkin_guest::describe::Field { name: #name, text: #text, is_required: #is_required, shape: #shape }
    }
}

fn choices<'a>(variants: impl Iterator<Item = &'a Variant>, case: Case) -> syn::Result<TokenStream> {
    let mut described = Vec::new();
    for variant in variants {
        if !matches!(variant.fields, Fields::Unit) {
            return Err(syn::Error::new_spanned(variant, "a choice among settings is one of several words"));
        }
        let serde = Serde::read(&variant.attrs)?;
        let name = serde.rename.unwrap_or_else(|| case.of_variant(&variant.ident.unraw().to_string()));
        let text = lines(&variant.attrs);
        described.push(quote!(::barmkin_guest::describe::Choice { name: #name, text: #text }));
    }
    Ok(quote!(::barmkin_guest::describe::Shape::Choice(&[#(#described),*])))
}

/// That of a type, if it has one.
fn of_type(of: &Type) -> TokenStream {
    quote!({
        #[allow(unused_imports, reason = "for types that do not say what they are")]
        use ::barmkin_guest::describe::AnyShape as _;
        ::barmkin_guest::describe::ShapeOf::<#of>::SHAPE
    })
}

/// As serde's derive sees it: by its name.
fn is_option(of: &Type) -> bool {
    matches!(of, Type::Path(path) if path.path.segments.last().is_some_and(|last| last.ident == "Option"))
}

/// How names are written.
#[derive(Clone, Copy, Default)]
enum Case {
    #[default]
    AsIs,
    Kebab,
    Snake,
    Lower,
}

impl Case {
    fn of_field(self, name: &str) -> String {
        match self {
            Self::AsIs | Self::Snake | Self::Lower => name.to_owned(),
            Self::Kebab => name.replace('_', "-"),
        }
    }

    fn of_variant(self, name: &str) -> String {
        let words = |separator: char| {
            let mut words = String::new();
            for (index, letter) in name.char_indices() {
                if index > 0 && letter.is_uppercase() {
                    words.push(separator);
                }
                words.extend(letter.to_lowercase());
            }
            words
        };
        match self {
            Self::AsIs => name.to_owned(),
            Self::Kebab => words('-'),
            Self::Snake => words('_'),
            Self::Lower => name.to_lowercase(),
        }
    }
}

/// The attributes of serde that change what can be written.
#[derive(Default)]
struct Serde {
    case: Case,
    from: Option<Type>,
    rename: Option<String>,
    has_default: bool,
    is_flat: bool,
    is_skipped: bool,
    is_read_otherwise: bool,
}

impl Serde {
    fn read(attributes: &[Attribute]) -> syn::Result<Self> {
        let mut read = Self::default();
        for attribute in attributes.iter().filter(|attribute| attribute.path().is_ident("serde")) {
            attribute.parse_nested_meta(|meta| read.add(&meta))?;
        }
        Ok(read)
    }

    fn add(&mut self, meta: &ParseNestedMeta<'_>) -> syn::Result<()> {
        let name = meta.path.get_ident().map(Ident::to_string).unwrap_or_default();
        let value = value(meta)?;
        let text = || value.as_ref().map(LitStr::value);
        match name.as_str() {
            "default" => self.has_default = true,
            "flatten" => self.is_flat = true,
            "skip" | "skip_deserializing" => self.is_skipped = true,
            "with" | "deserialize_with" => self.is_read_otherwise = true,
            "rename" => self.rename = text(),
            "from" | "try_from" => self.from = value.as_ref().map(LitStr::parse).transpose()?,
            "rename_all" => {
                self.case = match text().as_deref() {
                    Some("kebab-case") => Case::Kebab,
                    Some("snake_case") => Case::Snake,
                    Some("lowercase") => Case::Lower,
                    _ => return Err(meta.error("write names in kebab-case, snake_case or lowercase")),
                };
            }
            "untagged" | "tag" | "transparent" => {
                return Err(meta.error("a schema cannot be derived of this: implement `Schema`"));
            }
            _ => {}
        }
        Ok(())
    }
}

/// The value behind `=`, where it is text; `deserialize = ".."` in parentheses, too.
fn value(meta: &ParseNestedMeta<'_>) -> syn::Result<Option<LitStr>> {
    let text = |value: Expr| match value {
        Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) => Some(text),
        _ => None,
    };
    if meta.input.peek(Token![=]) {
        return Ok(text(meta.value()?.parse()?));
    }
    if meta.input.peek(syn::token::Paren) {
        let inner;
        parenthesized!(inner in meta.input);
        let inner = inner.parse_terminated(Meta::parse, Token![,])?;
        return Ok(inner.into_iter().find_map(|meta| match meta {
            Meta::NameValue(named) if named.path.is_ident("deserialize") => text(named.value),
            _ => None,
        }));
    }
    Ok(None)
}
