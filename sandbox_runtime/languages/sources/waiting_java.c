/*
 * Start a JVM as java(1) does, warm it up, then wait for a program: a class of this JVM's class path, with its files.
 * The rest is as in java.c of the JDK. The program sees the same call stack, texts of uncaught exceptions and exit codes.
 *
 *     waiting_java LIBJVM WARM_CLASS STACK_KIB JVM_OPTION...
 *
 * WARM_CLASS: a file that ends in .class, defined by a loader of its own, or the name of a class of the class path; its
 * method `static void warmUp()` is called. STACK_KIB: of the main thread. JVM_OPTION: as JNI_CreateJavaVM takes them.
 *
 * Descriptor 3 is a message socket; 4 holds all files, one after the other. We send one byte on 3 when we are ready.
 * Then we get one message of texts that each end with NUL: the count of arguments, the arguments (the first one is the
 * class), then name, size and 0 or 1 (executable) of each file. We close both descriptors before guest code runs. Only
 * the supervisor holds the other end of 3, so its messages are trusted.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <jni.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

enum { CHANNEL = 3, FILES = 4, FAILED = 1, OPTIONS = 4, MESSAGE_BYTES = 1 << 16, MOST_ARGUMENTS = 64 };

static int argument_count;
static char **arguments;
static char message[MESSAGE_BYTES + 1];

static void fail(const char *step) {
    fprintf(stderr, "waiting_java: %s: %s\n", step, strerror(errno));
    _exit(FAILED);
}

static void stop_on_exception(JNIEnv *env, const char *step) {
    if ((*env)->ExceptionCheck(env)) {
        (*env)->ExceptionDescribe(env);
        fail(step);
    }
}

static JNIEnv *create_jvm(JavaVM **jvm) {
    jint (*create)(JavaVM **, void **, void *);
    void *library = dlopen(arguments[1], RTLD_NOW | RTLD_GLOBAL);
    if (library == NULL || (create = (jint(*)(JavaVM **, void **, void *))dlsym(library, "JNI_CreateJavaVM")) == NULL)
        fail("load libjvm");
    int count = argument_count - OPTIONS;
    JavaVMOption *options = calloc(count, sizeof *options);
    for (int i = 0; i < count; i++) options[i].optionString = arguments[i + OPTIONS];
    JavaVMInitArgs init = {.version = JNI_VERSION_21, .nOptions = count, .options = options};
    JNIEnv *env = NULL;
    if (create(jvm, (void **)&env, &init) != JNI_OK) fail("create the JVM");
    free(options);
    return env;
}

static jclass define_from_file(JNIEnv *env, const char *path) {
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct stat facts;
    if (fd < 0 || fstat(fd, &facts) < 0) fail("open the warming class");
    jbyte *code = malloc(facts.st_size);
    if (read(fd, code, facts.st_size) != facts.st_size) fail("read the warming class");
    close(fd);
    /* Defined by a loader that the program can see, it would stand before a class of the same name of the program's. */
    jclass type = (*env)->FindClass(env, "java/net/URLClassLoader");
    jmethodID constructor = (*env)->GetMethodID(env, type, "<init>", "([Ljava/net/URL;)V");
    jobjectArray none = (*env)->NewObjectArray(env, 0, (*env)->FindClass(env, "java/net/URL"), NULL);
    jobject loader = (*env)->NewObject(env, type, constructor, none);
    stop_on_exception(env, "make a loader");
    jclass class = (*env)->DefineClass(env, NULL, loader, code, (jsize)facts.st_size);
    free(code);
    return class;
}

static void warm_up(JNIEnv *env) {
    const char *name = arguments[2], *ending = strstr(name, ".class");
    jclass class = ending != NULL ? define_from_file(env, name) : (*env)->FindClass(env, name);
    stop_on_exception(env, "find the warming class");
    jmethodID method = (*env)->GetStaticMethodID(env, class, "warmUp", "()V");
    stop_on_exception(env, "find warmUp");
    (*env)->CallStaticVoidMethod(env, class, method);
    stop_on_exception(env, "warm up");
}

/* The next text of the message; the message ends with a NUL, and so does the buffer. */
static char *next_text(char **place, char *end) {
    if (*place >= end) fail("read the message");
    char *text = *place;
    *place += strlen(text) + 1;
    return text;
}

static void place_file(const char *name, off_t size, int executable) {
    /* No code of a guest's has run here: O_EXCL refuses a name that is there already all the same. */
    int fd = open(name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0) fail("create a file");
    while (size > 0) {
        ssize_t done = sendfile(fd, FILES, NULL, size);
        if (done <= 0) fail("fill a file");
        size -= done;
    }
    if (fchmod(fd, executable ? 0755 : 0644) < 0) fail("set a file's mode");
    close(fd);
}

/* Returns the count of what is told to run: a class and its arguments. */
static int wait_for_program(char **told) {
    if (write(CHANNEL, "w", 1) != 1) fail("tell that we wait");
    ssize_t length = read(CHANNEL, message, MESSAGE_BYTES);
    if (length < 0) fail("read the message");
    if (length == 0) _exit(0); /* the supervisor has discarded this JVM */
    char *place = message, *end = message + length;
    int count = atoi(next_text(&place, end));
    if (count < 1 || count > MOST_ARGUMENTS) fail("read the arguments");
    for (int i = 0; i < count; i++) told[i] = next_text(&place, end);
    while (place < end) {
        char *name = next_text(&place, end);
        off_t size = strtoll(next_text(&place, end), NULL, 10);
        place_file(name, size, next_text(&place, end)[0] == '1');
    }
    close(CHANNEL);
    close(FILES);
    return count;
}

/* LauncherHelper.checkAndLoadMain: finds the class, or says why not in java's own words and exits. */
static jclass load_main(JNIEnv *env, const char *name) {
    jclass helper = (*env)->FindClass(env, "sun/launcher/LauncherHelper");
    if (helper == NULL) return NULL;
    jmethodID check =
        (*env)->GetStaticMethodID(env, helper, "checkAndLoadMain", "(ZILjava/lang/String;)Ljava/lang/Class;");
    if (check == NULL) return NULL;
    enum { LM_CLASS = 1 }; /* emessages.h: the name is a class's, not a jar's or a module's */
    return (*env)->CallStaticObjectMethod(env, helper, check, JNI_TRUE, LM_CLASS, (*env)->NewStringUTF(env, name));
}

/* java(1) sets this property to its command line without the options. */
static void name_command(JNIEnv *env, char **told, int count) {
    static char text[MESSAGE_BYTES + 1];
    for (int i = 0; i < count; i++) {
        if (i > 0) strcat(text, " ");
        strcat(text, told[i]);
    }
    jclass system = (*env)->FindClass(env, "java/lang/System");
    jmethodID set = (*env)->GetStaticMethodID(
        env, system, "setProperty", "(Ljava/lang/String;Ljava/lang/String;)Ljava/lang/String;");
    (*env)->CallStaticObjectMethod(
        env, system, set, (*env)->NewStringUTF(env, "sun.java.command"), (*env)->NewStringUTF(env, text));
}

static int run_main(JNIEnv *env, char **told, int count) {
    name_command(env, told, count);
    jclass class = load_main(env, told[0]);
    if (class == NULL || (*env)->ExceptionCheck(env)) return FAILED;
    jobjectArray list =
        (*env)->NewObjectArray(env, count - 1, (*env)->FindClass(env, "java/lang/String"), NULL);
    for (int i = 1; i < count; i++)
        (*env)->SetObjectArrayElement(env, list, i - 1, (*env)->NewStringUTF(env, told[i]));
    jmethodID method = (*env)->GetStaticMethodID(env, class, "main", "([Ljava/lang/String;)V");
    if (method == NULL) return FAILED;
    (*env)->CallStaticVoidMethod(env, class, method, list);
    return (*env)->ExceptionOccurred(env) == NULL ? 0 : FAILED;
}

static void *run(void *nothing) {
    JavaVM *jvm;
    JNIEnv *env = create_jvm(&jvm);
    warm_up(env);
    char *told[MOST_ARGUMENTS];
    int count = wait_for_program(told);
    int code = run_main(env, told, count);
    /* Shows an uncaught exception. */
    if ((*jvm)->DetachCurrentThread(jvm) != JNI_OK) code = FAILED;
    /* Waits for all threads that are no daemons. */
    (*jvm)->DestroyJavaVM(jvm);
    exit(code);
    return nothing;
}

int main(int count, char **values) {
    argument_count = count, arguments = values;
    if (count < OPTIONS) {
        errno = EINVAL;
        fail("read the command line");
    }
    pthread_attr_t attributes;
    pthread_t thread;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, (size_t)atoi(values[3]) << 10);
    if (pthread_create(&thread, &attributes, run, NULL) != 0) fail("start the main thread");
    pthread_join(thread, NULL);
    return FAILED; /* run() ends the process */
}
