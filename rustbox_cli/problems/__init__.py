"""Problems as folders: cases (`case_folder`), packages of Kattis and ICPC (`package`), and their scores (`groups`)."""
