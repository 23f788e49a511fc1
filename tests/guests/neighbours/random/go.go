package main
import ("fmt"; "hash/maphash"; "math/rand"; crypto "crypto/rand")
func main() {
    bytes := make([]byte, 8)
    crypto.Read(bytes)
    fmt.Println(bytes)
    fmt.Println(rand.Int63())
    fmt.Println(maphash.String(maphash.MakeSeed(), "a"))
}
