package main
import ("fmt"; "os"; "syscall")
func main() {
    file, err := os.Create("/tmp/lock")
    if err == nil && syscall.Flock(int(file.Fd()), syscall.LOCK_EX) == nil { fmt.Println("ok") }
}
