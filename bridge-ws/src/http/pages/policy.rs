//! What a page may do in a browser: what stands in it and what this door serves; it never lets in what somebody brings.

use data_encoding::BASE64;
use http::header::HeaderValue;
use ring::digest::{SHA256, digest};

/// A page may run the scripts that stand in it and look as it says, load modules, styles and pictures from this door, and
/// speak with it.
pub(super) fn policy(page: &str) -> HeaderValue {
    let scripts = hashes(page, "<script type=\"module\">", "</script>");
    let styles = hashes(page, "<style>", "</style>");
    let policy = format!(
        "default-src 'none'; script-src 'self'{scripts}; style-src 'self'{styles}; connect-src 'self'; img-src 'self' \
         data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    );
    HeaderValue::try_from(policy).expect("base64 is ASCII")
}

/// What allows each element between `open` and `close` by its content.
fn hashes(page: &str, open: &str, close: &str) -> String {
    let elements = page.split(open).skip(1).map(|rest| rest.split_once(close).map_or(rest, |(content, _)| content));
    let hash = |content: &str| BASE64.encode(digest(&SHA256, content.as_bytes()).as_ref());
    elements.map(|content| format!(" 'sha256-{}'", hash(content))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_runs_the_scripts_that_stand_in_it_and_no_other() {
        let page = "<style>a{}</style><script type=\"module\">\n1;\n</script><script>2</script><style>b{}</style>";
        // As `printf '\n1;\n' | openssl dgst -sha256 -binary | base64` says.
        let policy = policy(page);
        for allowed in [
            "script-src 'self' 'sha256-o/XC9OlEggfse39RlivbQFMYA0QAu6G2MgWEuPWdudM=';",
            "style-src 'self' 'sha256-X1RutGBrXCt9KkSaXMK7tHftWiRscFHOhxsS8tv8hBk=' 'sha256-7yqHVAesot11p6HczDsgKRipvI5UPgs97z80zNXlans=';",
        ] {
            assert!(policy.to_str().unwrap().contains(allowed), "{policy:?}");
        }
    }
}
