rt::task_local! {
    NAME: String;
}

fn main() {}
