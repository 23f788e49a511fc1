console.log(process.env.GREETING ?? "none", process.env.PATH);
