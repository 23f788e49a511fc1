// expect: MLE
// attack: T16 memory_shared: anonymous shared memory, asked of the C library
// control: memory_limit
use std::ffi::c_void;

extern "C" {
    fn mmap(address: *mut c_void, length: usize, protection: i32, flags: i32, fd: i32, offset: i64) -> *mut c_void;
}

fn main() {
    let (read_write, shared_anonymous, step) = (1 | 2, 1 | 0x20, 8usize << 20);
    for _ in 0..40 {
        let block = unsafe { mmap(std::ptr::null_mut(), step, read_write, shared_anonymous, -1, 0) };
        assert_ne!(block as isize, -1);
        unsafe { std::ptr::write_bytes(block.cast::<u8>(), 1, step) };
    }
    println!("ESCAPED holds 320 MiB of shared memory");
}
