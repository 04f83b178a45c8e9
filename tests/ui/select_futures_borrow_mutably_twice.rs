async fn next(numbers: &mut Vec<u32>) -> Option<u32> {
    numbers.pop()
}

async fn wait(numbers: &mut Vec<u32>) {
    rt::select! {
        _ = next(numbers) => {}
        _ = next(numbers) => {}
    }
}

fn main() {}
