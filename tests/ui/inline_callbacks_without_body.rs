trait Pages {
    #[rt::inline_callbacks]
    async fn page(self) -> Result<String, rt::Failure>;
}

fn main() {}
