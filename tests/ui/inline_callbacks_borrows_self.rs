struct Server {
    name: String,
}

impl Server {
    #[rt::inline_callbacks]
    async fn page(&self) -> Result<String, rt::Failure> {
        Ok(self.name.clone())
    }

    #[rt::inline_callbacks]
    async fn other(self: &mut Self) -> Result<(), rt::Failure> {
        self.name.clear();
        Ok(())
    }
}

fn main() {}
