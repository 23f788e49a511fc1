// What Go programs use of the standard library. Prints "ok <part>" or "FAILED <part> ..."; exit code 1 if any failed.
package main

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/big"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"runtime"
	"runtime/debug"
	"runtime/pprof"
	"sort"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

func need(condition bool, what string) {
	if !condition {
		panic(errors.New(what))
	}
}

func check(err error) {
	if err != nil {
		panic(err)
	}
}

func values() {
	text, err := json.Marshal(map[string][]any{"a": {1, "ü", nil}})
	check(err)
	need(string(text) == `{"a":[1,"ü",null]}`, "json")
	need(regexp.MustCompile(`(\w)x`).FindString("axb") == "ax", "regexp")
	need(new(big.Int).Exp(big.NewInt(2), big.NewInt(100), nil).BitLen() == 101, "big")
	need(fmt.Sprintf("%x", sha256.Sum256(nil))[:4] == "e3b0", "sha256")
	var packed bytes.Buffer
	writer := gzip.NewWriter(&packed)
	writer.Write([]byte("text"))
	check(writer.Close())
	reader, err := gzip.NewReader(&packed)
	check(err)
	plain, err := io.ReadAll(reader)
	need(err == nil && string(plain) == "text", "gzip")
	_, err = rand.Read(make([]byte, 8))
	check(err)
	numbers := sort.IntSlice{3, 1, 2}
	sort.Sort(numbers)
	need(numbers[0] == 1 && time.Unix(0, 0).UTC().Year() == 1970, "sort and time")
	_, err = time.LoadLocation("Europe/Berlin")
	need(err == nil || errors.Is(err, fs.ErrNotExist) || strings.Contains(err.Error(), "unknown time zone"), "zones")
}

func files() {
	check(os.MkdirAll("made/deep", 0o755))
	check(os.WriteFile("made/a", []byte("hello"), 0o644))
	check(os.Link("made/a", "made/b"))
	check(os.Symlink("a", "made/c"))
	check(os.Rename("made/b", "made/d"))
	target, err := os.Readlink("made/c")
	need(err == nil && target == "a", "readlink")
	check(os.Chmod("made/a", 0o600))
	check(os.Chtimes("made/a", time.Unix(1, 0), time.Unix(2, 0)))
	check(os.Truncate("made/a", 4))
	check(os.Chown("made/a", os.Getuid(), os.Getgid()))
	check(os.Lchown("made/c", -1, -1))
	file, err := os.OpenFile("made/a", os.O_RDWR, 0)
	check(err)
	_, err = file.WriteAt([]byte("H"), 0)
	check(err)
	_, err = file.ReadAt(make([]byte, 4), 0)
	check(err)
	_, err = file.Seek(0, io.SeekStart)
	check(err)
	check(file.Sync())
	check(file.Chmod(0o644))
	check(file.Truncate(4))
	check(syscall.Flock(int(file.Fd()), syscall.LOCK_EX))
	copied, err := os.Create("made/e")
	check(err)
	count, err := io.Copy(copied, file)
	need(err == nil && count == 4, "copy")
	memory, err := syscall.Mmap(int(file.Fd()), 0, 4, syscall.PROT_READ, syscall.MAP_SHARED)
	need(err == nil && memory[0] == 'H', "mmap")
	check(syscall.Munmap(memory))
	check(file.Close())
	check(copied.Close())
	names := 0
	check(filepath.WalkDir("made", func(string, fs.DirEntry, error) error { names++; return nil }))
	need(names == 6, "walk")
	root, err := os.OpenRoot("made")
	check(err)
	inside, err := root.Open("a")
	check(err)
	check(inside.Close())
	check(root.Close())
	check(os.CopyFS("copied", os.DirFS("made/deep")))
	check(os.RemoveAll("made"))
	check(os.RemoveAll("copied"))
	directory, err := os.MkdirTemp("", "part")
	check(err)
	temporary, err := os.CreateTemp(directory, "file")
	check(err)
	check(temporary.Close())
	check(os.Chdir(directory))
	check(os.Chdir("/box"))
	var facts syscall.Statfs_t
	check(syscall.Statfs("/tmp", &facts))
	check(syscall.Mkfifo(directory+"/fifo", 0o600))
}

func goroutines() {
	var group sync.WaitGroup
	var total atomic.Int64
	lock := sync.Mutex{}
	found := map[int]bool{}
	for number := range 200 {
		group.Add(1)
		go func() {
			defer group.Done()
			runtime.LockOSThread()
			defer runtime.UnlockOSThread()
			total.Add(int64(number))
			lock.Lock()
			found[number] = true
			lock.Unlock()
		}()
	}
	group.Wait()
	need(total.Load() == 19900 && len(found) == 200, "goroutines")
	limited, cancel := context.WithTimeout(context.Background(), time.Millisecond)
	defer cancel()
	<-limited.Done()
	ticker := time.NewTicker(time.Millisecond)
	<-ticker.C
	ticker.Stop()
	select {
	case <-time.After(time.Millisecond):
	}
	hold := [][]byte{}
	for range 50 {
		hold = append(hold, make([]byte, 1<<20))
	}
	need(len(hold) == 50, "heap")
	hold = nil
	runtime.GC()
	debug.FreeOSMemory()
	var profile bytes.Buffer
	check(pprof.StartCPUProfile(&profile))
	end := time.Now().Add(30 * time.Millisecond)
	for time.Now().Before(end) {
	}
	pprof.StopCPUProfile()
	need(profile.Len() > 0 && runtime.NumCPU() > 0 && runtime.NumGoroutine() > 0, "profile")
}

func processes() {
	output, err := exec.Command("/bin/sh", "-c", "echo hi | tr a-z A-Z").Output()
	need(err == nil && string(output) == "HI\n", "command")
	bounded, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
	defer cancel()
	need(exec.CommandContext(bounded, "/bin/sleep", "50").Run() != nil, "timeout")
	cat := exec.Command("/bin/cat")
	cat.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	input, err := cat.StdinPipe()
	check(err)
	from, err := cat.StdoutPipe()
	check(err)
	check(cat.Start())
	fmt.Fprintln(input, "line")
	input.Close()
	line, err := bufio.NewReader(from).ReadString('\n')
	need(err == nil && line == "line\n", "pipe")
	check(cat.Wait())
	var failed *exec.ExitError
	need(errors.As(exec.Command("/bin/false").Run(), &failed) && failed.ExitCode() == 1, "exit code")
	process, err := os.FindProcess(os.Getpid())
	check(err)
	arrived := make(chan os.Signal, 1)
	signal.Notify(arrived, syscall.SIGUSR1)
	check(process.Signal(syscall.SIGUSR1))
	need(<-arrived == syscall.SIGUSR1, "signal")
	var used syscall.Rusage
	check(syscall.Getrusage(syscall.RUSAGE_SELF, &used))
	var limit syscall.Rlimit
	check(syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit))
	name, err := os.Hostname()
	need(err == nil && name != "" && os.Getppid() > 0 && os.Getpagesize() > 0, "identity")
	_, err = os.Getwd()
	check(err)
	reader, writer, err := os.Pipe()
	check(err)
	writer.Close()
	check(reader.SetReadDeadline(time.Now().Add(time.Second)))
	_, err = reader.Read(make([]byte, 1))
	need(err == io.EOF, "end of file")
}

func sockets() {
	listener, err := net.Listen("unix", "/tmp/server")
	check(err)
	go func() {
		connection, err := listener.Accept()
		if err == nil {
			io.WriteString(connection, "served")
			connection.Close()
		}
	}()
	client, err := net.Dial("unix", "/tmp/server")
	check(err)
	text, err := io.ReadAll(client)
	need(err == nil && string(text) == "served", "unix socket")
	check(client.Close())
	check(listener.Close())
	web, err := net.Listen("unix", "/tmp/http")
	check(err)
	server := &http.Server{Handler: http.HandlerFunc(func(answer http.ResponseWriter, _ *http.Request) { io.WriteString(answer, "http") })}
	go server.Serve(web)
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) { return net.Dial("unix", "/tmp/http") }
	transport := &http.Transport{DialContext: dial}
	answer, err := (&http.Client{Transport: transport}).Get("http://localhost/")
	check(err)
	text, err = io.ReadAll(answer.Body)
	need(err == nil && string(text) == "http", "http")
	answer.Body.Close()
	check(server.Close())
}

func network() {
	begun := time.Now()
	for _, address := range []string{"127.0.0.1:9", "192.0.2.1:80", "example.org:80"} {
		_, err := net.DialTimeout("tcp", address, 5*time.Second)
		need(err != nil, address)
	}
	_, err := net.Listen("tcp", "127.0.0.1:0")
	need(err == nil || strings.Contains(err.Error(), "assign"), "listen")
	_, err = net.LookupHost("example.org")
	need(err != nil, "lookup")
	net.Interfaces()
	need(time.Since(begun) < 3*time.Second, "the network must fail at once")
}

func run(name string, part func()) (worked bool) {
	defer func() {
		if reason := recover(); reason != nil {
			fmt.Println("FAILED", name, reason, string(debug.Stack()))
		}
	}()
	part()
	fmt.Println("ok", name)
	return true
}

func main() {
	code := 0
	for _, part := range []struct {
		name string
		run  func()
	}{{"values", values}, {"files", files}, {"goroutines", goroutines}, {"processes", processes}, {"sockets", sockets}, {"network", network}} {
		if !run(part.name, part.run) {
			code = 1
		}
	}
	os.Exit(code)
}
